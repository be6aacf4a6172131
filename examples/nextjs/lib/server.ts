import { auth } from "@/lib/auth";
import { TaskError, taskClient } from "@/lib/tasks";
import { APIError } from "better-auth/api";
import { headers } from "next/headers";
import { redirect } from "next/navigation";

export const apiUrl = process.env.API_URL ?? "http://127.0.0.1:8000";

/** The signed-in user; without one, redirects to the sign-in page. */
export async function currentUser() {
  const session = await auth.api.getSession({ headers: await headers() });
  return session?.user ?? redirect("/sign-in");
}

/** The API as this user, from the server, with few retries, because the page is empty meanwhile. */
export function tasksOf(userId: string) {
  const getToken = async () => (await auth.api.signJWT({ body: { payload: { sub: userId } } })).token;
  return taskClient({ baseUrl: apiUrl, userId, getToken, retries: 2 });
}

/** Erases what the API has of a user whose account is about to be deleted. */
export async function eraseTasks(userId: string): Promise<void> {
  try {
    await tasksOf(userId).erase();
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    const message = "Your tasks could not be erased, so your account is still here. Please try again later.";
    throw new APIError("SERVICE_UNAVAILABLE", { message });
  }
}
