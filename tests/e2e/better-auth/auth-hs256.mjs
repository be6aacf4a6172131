import { jwt } from "better-auth/plugins";
import { SignJWT } from "jose";

const secret = () => new TextEncoder().encode(process.env.BETTER_AUTH_SECRET);

export const plugins = [
  jwt({
    // Both are required next to `sign` but not used: a shared secret has no JWKS.
    jwks: { remoteUrl: "none", keyPairConfig: { alg: "EdDSA" } },
    jwt: {
      // Leave `email` out: Better Auth signs its e-mail verification links with
      // the same secret and would accept a token that carries one.
      definePayload: ({ user }) => ({ name: user.name }),
      sign: (payload, header) =>
        new SignJWT(payload)
          .setProtectedHeader({ typ: "JWT", ...header, alg: "HS256" })
          .sign(secret()),
    },
  }),
];
