// What a developer reads off the generated types. It is compiled, by test_programs.py, and never run.

import type { components, paths } from "../../examples/typescript/api.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => undefined;

type List = paths["/api/{user_id}/tasks"]["get"];
type Create = paths["/api/{user_id}/tasks"]["post"];
type Edit = paths["/api/{user_id}/tasks/{id}"]["put"];
type Complete = paths["/api/{user_id}/tasks/{id}"]["patch"];
type Erase = paths["/api/{user_id}"]["delete"];
type Schemas = components["schemas"];
type JSONOf<R> = R extends { content: { "application/json": infer T } } ? T : never;

type Query = NonNullable<List["parameters"]["query"]>;
same<Query["completed"], boolean | undefined>(true);
same<Query["ordering"], "created_at" | "-created_at" | undefined>(true);
same<Query["limit"], number | undefined>(true);

same<components["headers"]["Retry-After"], number>(true);
same<Create["responses"][503]["headers"]["Retry-After"], number>(true);
same<Edit["responses"][200]["headers"]["ETag"], string>(true);

same<keyof List["responses"], 200 | 304 | 400 | 401 | 403 | 405 | 429 | 500 | 503>(true);
same<keyof Create["responses"], 201 | 400 | 401 | 403 | 405 | 410 | 413 | 415 | 422 | 429 | 500 | 503 | 504>(true);
same<keyof Erase["responses"], 204 | 401 | 403 | 405 | 429 | 500 | 503 | 504>(true);
same<JSONOf<Create["responses"][422]>, Schemas["ValidationError"]>(true);
same<JSONOf<Edit["responses"][412]>, Schemas["Error"]>(true);
same<Schemas["ValidationError"]["errors"][number]["field"], string>(true);

same<JSONOf<Edit["requestBody"]>, Schemas["TaskUpdate"]>(true);
same<JSONOf<Create["requestBody"]>, Schemas["TaskCreate"]>(true);
same<Schemas["TaskCreate"]["title"], string>(true);
same<Schemas["TaskCreate"]["description"], string | null | undefined>(true);
same<JSONOf<Complete["requestBody"]>["completed"], boolean>(true);
same<JSONOf<List["responses"][200]>, Schemas["Task"][]>(true);
same<Schemas["Task"]["description"], string | null>(true);
