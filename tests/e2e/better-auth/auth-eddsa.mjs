import { jwt } from "better-auth/plugins";

export const plugins = [jwt()];
