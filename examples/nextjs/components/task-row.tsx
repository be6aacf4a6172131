import { Field } from "@/components/field";
import { TaskError, type Task, type Text, type taskClient } from "@/lib/tasks";
import { useEffect, useRef, useState, type SubmitEvent } from "react";

type Props = {
  task: Task;
  api: ReturnType<typeof taskClient>;
  onChange: (task: Task, words: string) => void;
  onGone: (task: Task, words: string) => void;
  onProblem: (error: unknown) => void;
};

const time = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export function TaskRow({ task, api, onChange, onGone, onProblem }: Props) {
  const [editing, setEditing] = useState(false);
  const [sure, setSure] = useState(false);
  const [busy, setBusy] = useState(false);
  const [wanted, setWanted] = useState<boolean>();
  const edit = useRef<HTMLButtonElement>(null);
  const wasEditing = useRef(false);

  useEffect(() => {
    if (wasEditing.current && !editing) edit.current?.focus();
    wasEditing.current = editing;
  }, [editing]);

  async function attempt(work: () => Promise<void>) {
    setBusy(true);
    try {
      await work();
    } catch (error) {
      if (error instanceof TaskError && error.status === 404) onGone(task, `Deleted elsewhere: ${task.title}`);
      else onProblem(error);
    } finally {
      setBusy(false);
      setWanted(undefined);
    }
  }

  function complete(completed: boolean) {
    if (busy) return;
    setWanted(completed); // shown at once, and undone if it fails
    const words = `${completed ? "Done" : "Open again"}: ${task.title}`;
    void attempt(async () => onChange(await api.complete(task, completed), words));
  }
  const remove = () =>
    attempt(async () => {
      await api.remove(task);
      onGone(task, `Deleted: ${task.title}`);
    });

  if (editing)
    return (
      <li className="card">
        <EditTask
          task={task}
          api={api}
          onSaved={(saved) => {
            onChange(saved, `Saved: ${saved.title}`);
            setEditing(false);
          }}
          onGone={() => onGone(task, `Deleted elsewhere: ${task.title}`)}
          onClose={(now) => {
            onChange(now, "");
            setEditing(false);
          }}
          onProblem={onProblem}
        />
      </li>
    );
  return (
    <li className="card task" data-done={wanted ?? task.completed} aria-busy={busy}>
      <label>
        <input
          type="checkbox"
          checked={wanted ?? task.completed}
          onChange={(event) => complete(event.target.checked)}
        />
        <span className="title">{task.title}</span>
      </label>
      {task.description && <p className="description">{task.description}</p>}
      <p className="quiet">
        <time dateTime={task.created_at}>{time.format(new Date(task.created_at))}</time>
      </p>
      <div className="actions">
        <button ref={edit} aria-label={`Edit ${task.title}`} onClick={() => setEditing(true)}>
          Edit
        </button>
        <button
          className={sure ? "dangerous" : undefined}
          aria-label={sure ? `Really delete ${task.title}` : `Delete ${task.title}`}
          onClick={sure ? remove : () => setSure(true)}
          onBlur={() => setSure(false)}
        >
          {sure ? "Really?" : "Delete"}
        </button>
      </div>
    </li>
  );
}

type EditProps = Omit<Props, "onChange" | "onGone"> & {
  onSaved: (task: Task) => void;
  onGone: () => void;
  onClose: (now: Task) => void;
};

/** Saves the user's edit of what they saw. If somebody else has changed it meanwhile, the user decides. */
function EditTask({ task, api, onSaved, onGone, onClose, onProblem }: EditProps) {
  const [seen, setSeen] = useState(task); // the list may be newer than what the user has read
  const [theirs, setTheirs] = useState<Task>();
  const [problems, setProblems] = useState<Record<string, string>>({});
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const conflict = useRef<HTMLDivElement>(null);

  useEffect(() => form.current?.querySelector("input")?.focus(), []);
  useEffect(() => conflict.current?.focus(), [theirs]);

  async function save(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text: Text = { title: String(data.get("title")), description: String(data.get("description")) || null };
    setBusy(true);
    setProblems({});
    try {
      const edited = await api.edit(seen, text);
      if (edited.is === "saved") return onSaved(edited.task);
      if (edited.is === "gone") return onGone();
      setTheirs(edited.task);
      setSeen(edited.task); // saving again replaces this version
    } catch (error) {
      const problems = error instanceof TaskError ? error.problems : [];
      setProblems(Object.fromEntries(problems.map(({ field, message }) => [field, message])));
      if (!problems.length) onProblem(error);
    }
    setBusy(false);
  }

  return (
    <form
      ref={form}
      onSubmit={save}
      onKeyDown={(event) => event.key === "Escape" && onClose(seen)}
      aria-label={`Edit ${task.title}`}
    >
      {theirs && (
        <div className="conflict" role="alert" tabIndex={-1} ref={conflict}>
          <h3>This task has changed while you were editing it</h3>
          <p>It now says:</p>
          <blockquote>
            <strong>{theirs.title}</strong>
            {theirs.description && <p>{theirs.description}</p>}
          </blockquote>
          <p>Below is yours, not saved yet.</p>
        </div>
      )}
      <Field label="Title" name="title" defaultValue={task.title} maxLength={200} problem={problems.title} required />
      <Field
        label="Description"
        name="description"
        rows={3}
        defaultValue={task.description ?? ""}
        maxLength={1000}
        problem={problems.description}
      />
      <div className="actions">
        <button className="primary" disabled={busy}>
          {theirs ? "Save mine instead" : "Save"}
        </button>
        <button type="button" onClick={() => onClose(seen)}>
          {theirs ? "Keep theirs" : "Cancel"}
        </button>
      </div>
    </form>
  );
}
