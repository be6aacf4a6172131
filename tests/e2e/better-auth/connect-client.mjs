// The browser side of the files of docs/connect.md, compiled into BUILD, with two users. Prints what came of each step.
const auth = process.env.BETTER_AUTH_URL;
const tasks = (userId) => `${process.env.NEXT_PUBLIC_API_URL}/api/${encodeURIComponent(userId)}/tasks`;

// What a browser does on its own: keep cookies and name the origin.
const cookies = new Map();
const asked = [];
let spoilNextToken = false;
const realFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const { origin, pathname } = new URL(request.url);
  asked.push(`${request.method} ${origin === auth ? pathname : "api"}`);
  if (origin !== auth) {
    if (spoilNextToken) request.headers.set("authorization", `${request.headers.get("authorization")}x`);
    spoilNextToken = false;
    return realFetch(request);
  }
  request.headers.set("origin", auth);
  request.headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
  const response = await realFetch(request);
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    if (value) cookies.set(name, value);
    else cookies.delete(name);
  }
  return response;
};

const { authClient } = await import("@/lib/auth-client");
const { getToken, fetchAs, signOut } = await import("@/lib/token");
const { addTask } = await import("@/lib/first-request");

const signUp = async (name) => {
  const { data, error } = await authClient.signUp.email({ name, email: `${name}@example.com`, password: "a long password" });
  if (error) throw new Error(JSON.stringify(error));
  return data.user.id;
};
const failure = (promise) => promise.then(() => "no error", ({ status, message }) => status ?? message);
const steps = {};
const step = async (name, work) => {
  asked.length = 0;
  steps[name] = { result: await work(), asked: [...asked] };
};

const ann = await signUp("ann");
await step("first", async () => {
  const answer = await addTask(ann, "Buy milk");
  return { status: answer.status, title: (await answer.json()).title };
});
await step("ten at once", async () => {
  const answers = await Promise.all(Array.from({ length: 10 }, () => fetchAs(ann, tasks(ann))));
  return answers.map(({ status }) => status);
});
await step("after a 401", async () => {
  const before = await getToken(ann);
  spoilNextToken = true;
  await new Promise((resolve) => setTimeout(resolve, 1100)); // a token's times are whole seconds
  const { status } = await addTask(ann, "Buy bread");
  return { status, renewed: before !== (await getToken(ann)) };
});
await step("ten that are refused", async () => {
  const refused = await getToken(ann);
  await new Promise((resolve) => setTimeout(resolve, 1100));
  return new Set(await Promise.all(Array.from({ length: 10 }, () => getToken(ann, refused)))).size;
});
const { now } = Date;
await step("five minutes later", async () => {
  Date.now = () => now() + 300_000;
  return typeof (await getToken(ann));
});
await step("a minute before its end", async () => {
  Date.now = () => now() + 840_000;
  return typeof (await getToken(ann));
});
Date.now = now;
await step("another user signs in elsewhere", async () => {
  const kept = new Map(cookies);
  cookies.clear();
  const ben = await realFetch(`${auth}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: auth },
    body: JSON.stringify({ name: "ben", email: "ben@example.com", password: "a long password" }),
  });
  for (const line of ben.headers.getSetCookie()) cookies.set(...line.split(";")[0].split(/=(.*)/s));
  const { user } = await ben.json();
  const answer = await fetchAs(user.id, tasks(user.id));
  const asAnn = await failure(getToken(ann));
  cookies.clear();
  for (const [name, value] of kept) cookies.set(name, value);
  return { own: await answer.json(), asAnn };
});
await fetchAs(ann, tasks(ann));
await step("signed out", async () => {
  await signOut();
  return failure(fetchAs(ann, tasks(ann)));
});
console.log(JSON.stringify(steps));
