import { Frame } from "@/components/frame";
import { DeleteAccount, SignOut } from "@/components/account";
import { currentUser } from "@/lib/server";

export const metadata = { title: "Account" };

export default async function Account() {
  const { name, email } = await currentUser();
  return (
    <Frame page="/account">
      <h1>Account</h1>
      <section className="card">
        <dl>
          <dt>Name</dt>
          <dd>{name}</dd>
          <dt>E-mail</dt>
          <dd>{email}</dd>
        </dl>
        <SignOut />
      </section>
      <DeleteAccount />
    </Frame>
  );
}
