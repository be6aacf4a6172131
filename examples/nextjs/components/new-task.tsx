import { Field } from "@/components/field";
import { TaskError, type Task, type taskClient } from "@/lib/tasks";
import { useRef, useState, type SubmitEvent } from "react";

type Props = {
  api: ReturnType<typeof taskClient>;
  onCreated: (task: Task) => void;
  onProblem: (error: unknown) => void;
};

export function NewTask({ api, onCreated, onProblem }: Props) {
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const last = useRef({ body: "", key: "" });

  async function submit(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const data = new FormData(form);
    const text = { title: String(data.get("title")), description: String(data.get("description")) || null };
    // One key for one text until it is answered: pressed again after a failure, it makes no second task.
    const body = JSON.stringify(text);
    if (last.current.body !== body) last.current = { body, key: crypto.randomUUID() };
    setBusy(true);
    setProblems({});
    try {
      onCreated(await api.create(text, last.current.key));
      last.current = { body: "", key: "" };
      form.reset();
    } catch (error) {
      const problems = error instanceof TaskError ? error.problems : [];
      setProblems(Object.fromEntries(problems.map(({ field, message }) => [field, message])));
      if (!problems.length) onProblem(error);
    } finally {
      setBusy(false);
      form.querySelector("input")?.focus();
    }
  }

  return (
    <form onSubmit={submit} className="card new" aria-label="New task" aria-busy={busy}>
      <Field
        label="New task"
        name="title"
        maxLength={200}
        placeholder="What has to be done?"
        required
        problem={problems.title}
      />
      <Field
        label="Description (may be empty)"
        name="description"
        rows={2}
        maxLength={1000}
        problem={problems.description}
      />
      <button className="primary" disabled={busy}>
        {busy ? "Adding…" : "Add"}
      </button>
    </form>
  );
}
