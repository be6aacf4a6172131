import { Frame } from "@/components/frame";
import { TaskList } from "@/components/task-list";
import { apiUrl, currentUser } from "@/lib/server";

export const metadata = { title: "All" };

/** The browser reads the list; this page gives it the API's URL and the user. */
export default async function Tasks() {
  const { id, name } = await currentUser();
  return (
    <Frame page="/tasks">
      <TaskList key={id} userId={id} name={name} apiUrl={apiUrl} />
    </Frame>
  );
}
