"use client";

import { Field } from "@/components/field";
import { authClient } from "@/lib/auth-client";
import { signOut } from "@/lib/token";
import { useState, type SubmitEvent } from "react";

export function SignOut() {
  return <button onClick={() => signOut().then(() => location.assign("/sign-in"))}>Sign out</button>;
}

export function DeleteAccount() {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    const password = String(new FormData(event.currentTarget).get("password"));
    const { error } = await authClient.deleteUser({ password });
    if (!error) return location.assign("/sign-up");
    setBusy(false);
    setProblem(error.message ?? "That did not work. Please try again.");
  }

  return (
    <form onSubmit={submit} className="card danger" aria-labelledby="delete">
      <h2 id="delete">Delete my account</h2>
      <p>Your tasks are erased first, then your account. There is no way back.</p>
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        problem={problem}
      />
      <button className="dangerous" disabled={busy}>
        {busy ? "Deleting…" : "Delete my account and all my tasks"}
      </button>
    </form>
  );
}
