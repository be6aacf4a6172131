"use client";

import { NewTask } from "@/components/new-task";
import { TaskRow } from "@/components/task-row";
import { authClient } from "@/lib/auth-client";
import { TaskError, taskClient, type Query, type Task } from "@/lib/tasks";
import { getToken } from "@/lib/token";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

const FILTERS: Record<string, Query> = { All: {}, Open: { completed: false }, Done: { completed: true } };

type Props = { userId: string; name: string; apiUrl: string };

/** All tasks of the user, newest first, page after page as they come into view. */
export function TaskList({ userId, name, apiUrl }: Props) {
  const [tasks, setTasks] = useState<Task[]>([]);
  const [filter, setFilter] = useState("All");
  const [state, setState] = useState<"loading" | "more" | "all">("loading");
  const [waiting, setWaiting] = useState(false);
  const [said, say] = useState("");
  const [problem, setProblem] = useState("");
  const pages = useRef<AsyncGenerator<Task[], void>>(undefined);
  const shown = useRef(0);
  const end = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const session = authClient.useSession();
  const api = useMemo(
    () => taskClient({ baseUrl: apiUrl, userId, getToken, onWaiting: setWaiting }),
    [apiUrl, userId],
  );
  shown.current = tasks.length;

  const fail = useCallback((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") return;
    if (error instanceof TaskError && error.status === 401) location.assign("/sign-in");
    setProblem(error instanceof Error ? error.message : "That did not work. Please try again.");
  }, []);

  /** Adds the next page, or reads the shown part of the list again. */
  const read = useCallback(
    async (again?: { signal: AbortSignal; atLeast: number }) => {
      if (again) pages.current = api.pages({ ...FILTERS[filter], ordering: "-created_at", limit: 30 }, again.signal);
      const source = pages.current!;
      try {
        const read: Task[] = [];
        let page: IteratorResult<Task[], void>;
        do {
          page = await source.next();
          read.push(...(page.value ?? []));
        } while (!page.done && again && read.length < again.atLeast);
        if (source !== pages.current) return;
        const isNew = (before: Task[]) => read.filter(({ id }) => before.every((task) => task.id !== id));
        setTasks((before) => (again ? read : [...before, ...isNew(before)]));
        setState(page.done ? "all" : "more");
        setProblem("");
      } catch (error) {
        if (source !== pages.current) return;
        setState("more");
        pages.current = undefined;
        fail(error);
      }
    },
    [api, filter, fail],
  );

  useEffect(() => {
    const gone = new AbortController();
    const refresh = () => {
      if (document.visibilityState === "visible") void read({ signal: gone.signal, atLeast: shown.current });
    };
    setState("loading");
    void read({ signal: gone.signal, atLeast: 1 });
    document.addEventListener("visibilitychange", refresh);
    return () => {
      document.removeEventListener("visibilitychange", refresh);
      gone.abort();
    };
  }, [read]);

  const more = useCallback(() => {
    setState("loading");
    void read(pages.current ? undefined : { signal: new AbortController().signal, atLeast: shown.current + 1 });
  }, [read]);

  useEffect(() => {
    if (state !== "more" || problem) return;
    const seen = new IntersectionObserver(([entry]) => entry?.isIntersecting && more(), { rootMargin: "400px" });
    seen.observe(end.current!);
    return () => seen.disconnect();
  }, [state, problem, more]);

  // In another tab, the user may have signed out, or somebody else in.
  useEffect(() => {
    if (!session.isPending && !session.error && session.data?.user.id !== userId) location.assign("/tasks");
  }, [session, userId]);

  const change = (task: Task, words: string) => {
    const belongs = FILTERS[filter]!.completed === undefined || FILTERS[filter]!.completed === task.completed;
    setTasks((before) => before.flatMap((old) => (old.id !== task.id ? [old] : belongs ? [task] : [])));
    say(words);
  };
  const drop = (task: Task, words: string) => {
    setTasks((before) => before.filter(({ id }) => id !== task.id));
    list.current?.focus(); // the focused element is gone
    say(words);
  };
  const create = (task: Task) => {
    if (filter !== "Done") setTasks((before) => [task, ...before]);
    say(`Added: ${task.title}`);
  };

  return (
    <>
      <h1>{name}’s tasks</h1>
      <NewTask api={api} onCreated={create} onProblem={fail} />
      <fieldset className="filters">
        <legend className="hidden">Which tasks</legend>
        {Object.keys(FILTERS).map((choice) => (
          <label key={choice}>
            <input type="radio" name="filter" checked={choice === filter} onChange={() => setFilter(choice)} />
            {choice}
          </label>
        ))}
      </fieldset>
      <ul className="tasks" ref={list} tabIndex={-1} aria-label="Tasks" aria-busy={state === "loading"}>
        {tasks.map((task) => (
          <TaskRow key={task.id} task={task} api={api} onChange={change} onGone={drop} onProblem={fail} />
        ))}
      </ul>
      {state === "all" && (
        <p className="quiet end">{tasks.length ? "That is all." : "Nothing here. Enjoy the quiet."}</p>
      )}
      {state !== "all" && (
        <button ref={end} className="more" disabled={state === "loading"} onClick={more}>
          {state === "loading" ? "Loading…" : "Load more"}
        </button>
      )}
      <div className="notes">
        <p role="status">{waiting ? "The task API does not answer. Trying again…" : said}</p>
        <p role="alert">{problem}</p>
      </div>
    </>
  );
}
