"use server";

import { currentUser, tasksOf } from "@/lib/server";
import { TaskError } from "@/lib/tasks";
import { redirect } from "next/navigation";

/** Adds the form's task. The key is made with the form, so a form that is sent twice makes one task. */
export async function add(form: FormData): Promise<void> {
  const { id } = await currentUser();
  const text = { title: String(form.get("title")), description: null };
  let problem = "";
  try {
    await tasksOf(id).create(text, String(form.get("key")));
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    problem = `?${new URLSearchParams({ problem: error.problems[0]?.message ?? error.message })}`;
  }
  redirect(`/sheet${problem}`);
}
