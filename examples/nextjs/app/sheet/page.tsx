import { Frame } from "@/components/frame";
import { currentUser, tasksOf } from "@/lib/server";
import { randomUUID } from "node:crypto";
import { add } from "./actions";

export const metadata = { title: "On one sheet" };

/** The newest 500 open tasks, rendered by the server, without scripts. */
export default async function Sheet({ searchParams }: { searchParams: Promise<{ problem?: string }> }) {
  const { id } = await currentUser();
  const { problem } = await searchParams;
  const first = await tasksOf(id).pages({ completed: false, ordering: "-created_at", limit: 500 }).next();
  const tasks = first.value ?? [];
  return (
    <Frame page="/sheet">
      <h1>On one sheet</h1>
      <p className="quiet">
        {tasks.length === 1 ? "One open task" : `${tasks.length} open tasks`}, rendered by the server. Print them, or read
        them without scripts.
      </p>
      <form action={add} className="card quick">
        <input type="hidden" name="key" value={randomUUID()} />
        <label htmlFor="title">New task</label>
        <input
          id="title"
          name="title"
          maxLength={200}
          required
          aria-describedby={problem && "problem"}
          aria-invalid={Boolean(problem)}
        />
        <button className="primary">Add</button>
        {problem && (
          <p className="problem" id="problem" role="alert">
            {problem}
          </p>
        )}
      </form>
      <ol className="sheet">
        {tasks.map((task) => (
          <li key={task.id}>
            <strong>{task.title}</strong>
            {task.description && <p>{task.description}</p>}
          </li>
        ))}
      </ol>
    </Frame>
  );
}
