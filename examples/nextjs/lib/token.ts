import { authClient } from "@/lib/auth-client";
import { decodeJwt } from "jose";

type Kept = { userId: string; token: string; renewAt: number };
let kept: Promise<Kept> | undefined;

/** This user's token, kept until a tenth of its life is left. Pass a token that got a 401 to have it replaced. */
export async function getToken(userId: string, refused?: string): Promise<string> {
  const before = kept;
  const had = await before?.catch(() => undefined);
  if (had?.userId === userId && had.token !== refused && Date.now() < had.renewAt) return had.token;
  if (!kept || kept === before) kept = renew(); // once for everyone who asks at the same time
  const now = await kept;
  if (now.userId !== userId) throw new Error("Somebody else has signed in: load the page again");
  return now.token;
}

async function renew(): Promise<Kept> {
  const { data, error } = await authClient.token();
  if (error) throw Object.assign(new Error(error.message ?? "There is no token"), { status: error.status });
  const { sub = "", iat = 0, exp = 0 } = decodeJwt(data.token);
  return { userId: sub, token: data.token, renewAt: Date.now() + (exp - iat) * 900 }; // wrong clocks cancel out
}

/** `fetch` as this user: with a token, and with a new one once more after a 401. */
export async function fetchAs(userId: string, url: string, init: RequestInit = {}): Promise<Response> {
  const send = (token: string) => {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${token}`);
    return fetch(url, { ...init, headers });
  };
  const token = await getToken(userId);
  const answer = await send(token);
  return answer.status === 401 ? send(await getToken(userId, token)) : answer;
}

export async function signOut(): Promise<void> {
  await authClient.signOut();
  kept = undefined;
}
