// The client of the task API, to copy. `npm run types` makes api.ts from the API's schema.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

export type Task = components["schemas"]["Task"];
export type Text = { title: string; description: string | null };
export type Query = NonNullable<paths["/api/{user_id}/tasks"]["get"]["parameters"]["query"]>;
export type Edited = { is: "saved"; task: Task } | { is: "conflict"; task: Task } | { is: "gone" };
type Problem = { field: string; code: string; message: string };

type Options = {
  baseUrl: string;
  userId: string;
  /** This user's token; a new one if `refused` is a token that got a 401. */
  getToken: (userId: string, refused?: string) => Promise<string>;
  /** Called with true when a request waits to be sent again, and with false when one has ended. */
  onWaiting?: (waiting: boolean) => void;
  retries?: number;
};

/** A request that failed for good. Status 0: the API could not be reached. */
export class TaskError extends Error {
  constructor(readonly status: number, message: string, readonly problems: Problem[] = []) {
    super(message);
  }
}

type Answer<T> = { data?: T; error?: { detail: string; errors?: Problem[] }; response: Response };

/** The body of a success, which a 204 does not have; otherwise a TaskError. */
function success<T>({ data, error, response }: Answer<T>): T {
  if (response.ok) return data as T;
  throw new TaskError(response.status, error?.detail ?? "The task API has refused this.", error?.errors);
}

/** Waits so many seconds and up to half as many again, so that not all clients come back at once. */
const pause = (seconds: number) => new Promise((done) => setTimeout(done, seconds * (1000 + Math.random() * 500)));
const same = (a: Text, b: Text) => a.title.trim() === b.title.trim() && a.description === b.description;
const LIST = "/api/{user_id}/tasks";
const TASK = "/api/{user_id}/tasks/{id}";

export function taskClient({ baseUrl, userId, getToken, onWaiting = () => {}, retries = 6 }: Options) {
  const api = createClient<paths>({ baseUrl, fetch: send });
  const path = { user_id: userId };

  /** Sends a request that may be repeated: it reads, has a condition or a key, or does the same each time. */
  async function send(request: Request): Promise<Response> {
    let refused: string | undefined;
    for (let attempt = 0; ; attempt++) {
      const answer = await authorized(request, refused);
      const again = !answer || [429, 502, 503, 504].includes(answer.status) || (answer.status === 500 && !attempt);
      if (answer?.status === 401 && !refused) {
        refused = request.headers.get("Authorization")?.slice("Bearer ".length);
      } else if (again && attempt < retries) {
        onWaiting(true);
        await pause(Number(answer?.headers.get("Retry-After")) || Math.min(2 ** attempt, 30));
      } else {
        onWaiting(false);
        if (answer) return answer;
        throw new TaskError(0, "The task API can't be reached. Check your connection, and try again.");
      }
    }
  }

  /** The answer, or undefined if there was none. */
  async function authorized(request: Request, refused?: string): Promise<Response | undefined> {
    try {
      request.headers.set("Authorization", `Bearer ${await getToken(userId, refused)}`);
      return await fetch(request.clone());
    } catch (error) {
      const { status } = error as { status?: number }; // of the token's server
      if (status === 401) throw new TaskError(401, "You have been signed out.");
      if (status || error instanceof TypeError) return undefined;
      throw error; // an abort, or somebody else's token
    }
  }

  /** Replaces the text that the user has seen. If it has changed meanwhile, nothing is written. */
  async function edit(seen: Task, text: Text): Promise<Edited> {
    const params = { path: { ...path, id: seen.id } };
    const header = { "If-Match": `"${seen.updated_at}"` };
    const answer = await api.PUT(TASK, { params: { ...params, header }, body: text });
    if (answer.response.status === 404) return { is: "gone" };
    if (answer.response.status !== 412) return { is: "saved", task: success(answer) };
    const now = await api.GET(TASK, { params });
    if (now.response.status === 404) return { is: "gone" };
    const task = success(now);
    if (same(task, seen)) return edit(task, text); // only `completed` has changed
    return { is: same(task, text) ? "saved" : "conflict", task }; // an attempt without an answer may have written it
  }

  return {
    edit,
    /** The list, page after page. */
    async *pages(query: Query = {}, signal: AbortSignal | null = null): AsyncGenerator<Task[], void> {
      for (let page = query; ; ) {
        const answer = await api.GET(LIST, { params: { path, query: page }, signal });
        yield success(answer);
        const next = /<([^>]*)>; rel="next"/.exec(answer.response.headers.get("Link") ?? "")?.[1];
        if (!next) return;
        page = { ...query, cursor: new URL(next, answer.response.url).searchParams.get("cursor") ?? "" };
      }
    },
    /** One task for one key, however often it is sent. Make the key when the user submits the form. */
    create: async (text: Text, key: string) =>
      success(await api.POST(LIST, { params: { path, header: { "Idempotency-Key": key } }, body: text })),
    complete: async ({ id }: Task, completed: boolean) =>
      success(await api.PATCH(TASK, { params: { path: { ...path, id } }, body: { completed } })),
    async remove({ id }: Task): Promise<void> {
      const answer = await api.DELETE(TASK, { params: { path: { ...path, id } } });
      if (answer.response.status !== 404) success(answer);
    },
    /** Erases everything that the API has of this user. */
    async erase(): Promise<void> {
      success(await api.DELETE("/api/{user_id}", { params: { path } }));
    },
  };
}
