import { SignForm } from "@/components/sign-form";

export const metadata = { title: "Sign in" };

export default function SignIn() {
  return <SignForm isNew={false} />;
}
