/** Makes Better Auth's tables when the server starts: without `jwks`, /api/auth/jwks is a 500. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { getMigrations } = await import("better-auth/db/migration");
  const { auth } = await import("@/lib/auth");
  await (await getMigrations(auth.options)).runMigrations();
}
