import { useId, type ComponentProps, type ReactNode } from "react";

type Props = { label: ReactNode; problem?: string | undefined; rows?: number } & Omit<ComponentProps<"input">, "id">;

/** A labelled input, or a text area if `rows` is given, with its problem below. */
export function Field({ label, problem, rows, ...input }: Props) {
  const id = useId();
  const shared = { id, "aria-invalid": Boolean(problem), "aria-describedby": problem ? `${id}-problem` : undefined };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {!rows && <input {...input} {...shared} />}
      {rows && <textarea {...(input as ComponentProps<"textarea">)} rows={rows} {...shared} />}
      {problem && (
        <p className="problem" id={`${id}-problem`} role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
