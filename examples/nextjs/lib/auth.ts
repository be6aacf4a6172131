import { eraseTasks } from "@/lib/server";
import { betterAuth } from "better-auth";
import { jwt } from "better-auth/plugins";
import { Pool } from "pg";

export const auth = betterAuth({
  database: new Pool({ connectionString: process.env.DATABASE_URL }),
  emailAndPassword: { enabled: true },
  plugins: [jwt({ jwt: { expirationTime: process.env.TOKEN_LIFETIME ?? "15m" } })],
  // An error here keeps the account, so that no task is left without its user.
  user: { deleteUser: { enabled: true, beforeDelete: (user) => eraseTasks(user.id) } },
});
