import { currentUser } from "@/lib/server";
import { redirect } from "next/navigation";

export default async function Home() {
  await currentUser();
  redirect("/tasks");
}
