// A Better Auth server on 127.0.0.1 with an in-memory database.
//
//   PORT                  0 (the default) picks a free port
//   MODE                  eddsa (default) or hs256
//   BETTER_AUTH_SECRET    required; BETTER_AUTH_SECRETS works as well
//   BETTER_AUTH_URL       public URL, the listening address by default
//   USER_IDS              default, uuid or serial
//   KEY_ALG               EdDSA (default), ES256, ES512, RS256 or PS256
//   ROTATE_SECONDS        rotate the signing key this often
//   GRACE_SECONDS         publish a rotated key this much longer
//   COOKIE_CACHE          compact, jwt, jwe or jwks (jwt signed with the JWKS key)
//   CLAIMS                all: put the whole user into the token in either mode
//
// Prints {"url": ...} once it listens and stops on SIGTERM.
import { createServer } from "node:http";
import { once } from "node:events";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { bearer, jwt } from "better-auth/plugins";

const env = process.env;
const choose = (name, fallback, choices) => {
  const value = env[name] || fallback;
  if (choices.includes(value)) return value;
  console.error(`${name} must be one of ${choices.join(", ")}`);
  process.exit(2);
};

const mode = choose("MODE", "eddsa", ["eddsa", "hs256"]);
const ids = choose("USER_IDS", "default", ["default", "uuid", "serial"]);
const alg = choose("KEY_ALG", "EdDSA", ["EdDSA", "ES256", "ES512", "RS256", "PS256"]);
const cache = choose("COOKIE_CACHE", "none", ["none", "compact", "jwt", "jwe", "jwks"]);
const claims = choose("CLAIMS", "default", ["default", "all"]);

// Better Auth would silently fall back to a well-known secret.
if (!env.BETTER_AUTH_SECRET && !env.BETTER_AUTH_SECRETS) {
  console.error("BETTER_AUTH_SECRET is not set");
  process.exit(2);
}

// Those of docs/connect.md, compiled: only its plugin is used, since its database is not here.
const { auth: quoted } = await import(`./build/${mode}/lib/auth.js`);

// The options of the quoted configuration, with the changes asked for above.
const jwtOptions = () => {
  const options = { ...quoted.options.plugins[0].options };
  if (alg !== "EdDSA") options.jwks = { ...options.jwks, keyPairConfig: { alg } };
  if (env.ROTATE_SECONDS) {
    options.jwks = { ...options.jwks, rotationInterval: Number(env.ROTATE_SECONDS) };
  }
  if (env.GRACE_SECONDS) {
    options.jwks = { ...options.jwks, gracePeriod: Number(env.GRACE_SECONDS) };
  }
  if (claims === "all") options.jwt = { ...options.jwt, definePayload: ({ user }) => user };
  if (cache === "jwks") options.sessionCookieCache = true;
  return options;
};

const verificationTokens = new Map();

const createAuth = (url) =>
  betterAuth({
    baseURL: env.BETTER_AUTH_URL || url,
    trustedOrigins: [url],
    secret: env.BETTER_AUTH_SECRET,
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    plugins: [jwt(jwtOptions()), bearer()],
    emailAndPassword: { enabled: true },
    emailVerification: {
      sendOnSignUp: true,
      sendVerificationEmail: async ({ user, token }) => {
        verificationTokens.set(user.email, token);
      },
    },
    session: {
      cookieCache: { enabled: cache !== "none", strategy: cache === "jwks" ? "jwt" : cache },
    },
    advanced: { database: { generateId: ids === "default" ? undefined : ids } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { log: (level, ...message) => console.error(level, ...message) },
  });

const json = (response, status, body) => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
};

const server = createServer();
server.listen(Number(env.PORT || 0), "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}`;
const auth = createAuth(url);
await auth.$context;
const handler = toNodeHandler(auth);

server.on("request", (request, response) => {
  const { pathname, searchParams } = new URL(request.url, url);
  if (pathname !== "/test/verification-token") return handler(request, response);
  const token = verificationTokens.get(searchParams.get("email")?.toLowerCase());
  return token ? json(response, 200, { token }) : json(response, 404, { token: null });
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}

console.log(JSON.stringify({ url }));
