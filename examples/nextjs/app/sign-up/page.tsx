import { SignForm } from "@/components/sign-form";

export const metadata = { title: "Sign up" };

export default function SignUp() {
  return <SignForm isNew={true} />;
}
