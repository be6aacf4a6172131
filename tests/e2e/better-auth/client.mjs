// The Better Auth client as a command, one JSON object per call.
//
//   node client.mjs URL sign-up EMAIL PASSWORD NAME
//   node client.mjs URL sign-in EMAIL PASSWORD
//   node client.mjs URL token SESSION_TOKEN
//   node client.mjs URL jwks
//   node client.mjs URL verification-token EMAIL
import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";

const [url, command, ...args] = process.argv.slice(2);

// What a browser does on its own: keep cookies and name the origin.
const cookies = {};
const headers = {};
const fetchWithCookies = async (input, init = {}) => {
  const request = new Request(input, init);
  request.headers.set("origin", new URL(url).origin);
  const pairs = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  if (pairs.length) request.headers.set("cookie", pairs.join("; "));
  const response = await fetch(request);
  for (const line of response.headers.getSetCookie()) {
    const [pair, ...attributes] = line.split("; ");
    const name = pair.slice(0, pair.indexOf("="));
    if (attributes.some((attribute) => attribute.toLowerCase() === "max-age=0")) {
      delete cookies[name];
    } else {
      cookies[name] = pair.slice(name.length + 1);
    }
  }
  for (const name of ["set-auth-token", "set-auth-jwt"]) {
    if (response.headers.has(name)) headers[name] = response.headers.get(name);
  }
  return response;
};

const authClient = createAuthClient({
  baseURL: url,
  plugins: [jwtClient()],
  fetchOptions: { customFetchImpl: fetchWithCookies },
});

const unwrap = ({ data, error }) => {
  if (!error) return data;
  console.error(JSON.stringify(error));
  process.exit(1);
};

const verificationToken = async (email) => {
  const target = new URL("/test/verification-token", url);
  target.searchParams.set("email", email);
  return (await (await fetch(target)).json()).token;
};

// The session data cookie, put together again when it is split into chunks.
const sessionData = () =>
  Object.entries(cookies)
    .filter(([name]) => /session_data(\.\d+)?$/.test(name))
    .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
    .map(([, value]) => value)
    .join("") || null;

const describe = async ({ user }) => {
  const { token } = unwrap(await authClient.token());
  unwrap(await authClient.getSession());
  return {
    userId: user.id,
    token,
    headerToken: headers["set-auth-jwt"] ?? null,
    sessionToken: headers["set-auth-token"] ?? null,
    sessionData: sessionData(),
    verificationToken: await verificationToken(user.email),
    cookies,
  };
};

const commands = {
  "sign-up": async (email, password, name) =>
    describe(unwrap(await authClient.signUp.email({ email, password, name }))),
  "sign-in": async (email, password) =>
    describe(unwrap(await authClient.signIn.email({ email, password }))),
  token: async (sessionToken) =>
    unwrap(await authClient.token({
      fetchOptions: { headers: { authorization: `Bearer ${sessionToken}` } },
    })),
  jwks: async () => unwrap(await authClient.jwks()),
  "verification-token": async (email) => ({ token: await verificationToken(email) }),
};

if (!url || !Object.hasOwn(commands, command ?? "")) {
  console.error(`usage: node client.mjs URL ${Object.keys(commands).join("|")} ...`);
  process.exit(2);
}
console.log(JSON.stringify(await commands[command](...args)));
