"use client";

import { Field } from "@/components/field";
import { Brand } from "@/components/frame";
import { authClient } from "@/lib/auth-client";
import Link from "next/link";
import { useState, type SubmitEvent } from "react";

/** Signs in, or up if `isNew`. */
export function SignForm({ isNew }: { isNew: boolean }) {
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [name, email, password] = ["name", "email", "password"].map((field) => String(form.get(field) ?? ""));
    setBusy(true);
    setProblem(undefined);
    const account = { email: email!, password: password! };
    const { error } = isNew
      ? await authClient.signUp.email({ ...account, name: name! })
      : await authClient.signIn.email(account);
    if (!error) return location.assign("/tasks"); // a full load, so that nothing of another user is left
    setBusy(false);
    setProblem(error.message ?? "That did not work. Please try again.");
  }

  return (
    <main className="sign">
      <Brand />
      <h1>{isNew ? "Sign up" : "Sign in"}</h1>
      <p className="quiet">{isNew ? "A list of your own, in half a minute." : "Good to see you again."}</p>
      <form onSubmit={submit} className="card">
        {isNew && <Field label="Name" name="name" autoComplete="name" required />}
        <Field label="E-mail" name="email" type="email" autoComplete="email" required />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete={isNew ? "new-password" : "current-password"}
          minLength={8}
          required
          problem={problem}
        />
        <button className="primary" disabled={busy}>
          {isNew ? "Sign up" : "Sign in"}
        </button>
      </form>
      <p>
        {isNew ? "You have an account? " : "You are new here? "}
        <Link href={isNew ? "/sign-in" : "/sign-up"}>{isNew ? "Sign in" : "Sign up"}</Link>
      </p>
    </main>
  );
}
