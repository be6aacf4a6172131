// A tour of the task API: list, create, edit, complete, poll, delete, erase. Each step prints what came back.
//
//   npm ci && npm run build
//   API_URL=http://127.0.0.1:8000 USER_ID=alice TOKEN=… npm start
//
// The build generates api.ts, the types, from docs/openapi.yaml.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Task = components["schemas"]["Task"];

const { API_URL, USER_ID, TOKEN } = process.env;
if (!API_URL || !USER_ID || !TOKEN) throw new Error("Set API_URL, USER_ID and TOKEN");

const api = createClient<paths>({ baseUrl: API_URL, headers: { Authorization: `Bearer ${TOKEN}` } });
const LIST = "/api/{user_id}/tasks";
const TASK = "/api/{user_id}/tasks/{id}";
const list = { user_id: USER_ID };

/** A task's ETag, wherever it came from: a list has no header for each of its tasks. */
const etagOf = (task: Task) => `"${task.updated_at}"`;

/** The body of a success. An error is thrown, with the API's own words on it. */
function body<T>(answer: { data?: T; error?: { detail: string }; response: Response }): T {
  if (answer.data === undefined) throw new Error(`${answer.response.status}: ${answer.error?.detail}`);
  return answer.data;
}

/** Page after page, by the Link headers. */
async function* pages(limit: number): AsyncGenerator<Task[]> {
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor?: string } = cursor ? { limit, cursor } : { limit };
    const answer = await api.GET(LIST, { params: { path: list, query } });
    yield body(answer);
    const next = /<([^>]*)>; rel="next"/.exec(answer.response.headers.get("Link") ?? "")?.[1];
    cursor = next ? new URL(next, answer.response.url).searchParams.get("cursor") : null;
  } while (cursor);
}

/** Edit and undo nobody else's edit: on a 412, read the task again, and apply the change to what it is now. */
async function edit(path: { user_id: string; id: number }, task: Task, change: (task: Task) => Task) {
  for (;;) {
    const params = { path, header: { "If-Match": etagOf(task) } };
    const answer = await api.PUT(TASK, { params, body: change(task) });
    console.log(`edit: ${answer.response.status}`);
    if (answer.response.status !== 412) return body(answer);
    const fresh = await api.GET(TASK, { params: { path } });
    task = body(fresh);
    console.log(`read again: ${fresh.response.status}, ${task.title}`);
  }
}

for await (const page of pages(2)) console.log(`page: ${page.map((task) => task.title).join(", ")}`);

// One key for one task, however often it is sent: here twice, as after a time-out.
const header = { "Idempotency-Key": crypto.randomUUID() };
const first = await api.POST(LIST, { params: { path: list, header }, body: { title: "Buy milk" } });
const second = await api.POST(LIST, { params: { path: list, header }, body: { title: "Buy milk" } });
const task = body(first);
console.log(`create: ${first.response.status}, task ${task.id}`);
const replayed = second.response.headers.get("Idempotency-Replayed");
console.log(`create again: ${second.response.status}, task ${body(second).id}, replayed: ${replayed}`);

// Somebody else edits the title, so that our ETag is an old one.
const path = { user_id: USER_ID, id: task.id };
body(await api.PUT(TASK, { params: { path }, body: { title: "Buy oat milk" } }));
const edited = await edit(path, task, (now) => ({ ...now, description: "Two litres" }));
console.log(`edited: ${edited.title}, ${edited.description}`);

const completed = await api.PATCH(TASK, { params: { path }, body: { completed: true } });
console.log(`complete: ${completed.response.status}, ${body(completed).completed ? "done" : "open"}`);

// The ETag of a write is that of the next read: nothing has changed since.
const poll = { path, header: { "If-None-Match": etagOf(body(completed)) } };
console.log(`poll: ${(await api.GET(TASK, { params: poll })).response.status}`);

const deleted = await api.DELETE(TASK, { params: { path } });
console.log(`delete: ${deleted.response.status}`);
const gone = await api.GET(TASK, { params: { path } });
console.log(`read: ${gone.response.status}, ${gone.error?.detail}`);

// For a user who deletes their account: this erases everything, and a second call is no error.
const erased = await api.DELETE("/api/{user_id}", { params: { path: list } });
console.log(`erase: ${erased.response.status}`);
console.log(`left: ${body(await api.GET(LIST, { params: { path: list } })).length}`);
