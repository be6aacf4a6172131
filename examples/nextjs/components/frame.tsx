import Link from "next/link";
import type { ReactNode } from "react";

const PAGES = { "/tasks": "Tasks", "/sheet": "On one sheet", "/account": "Account" };

export function Brand() {
  return (
    <svg className="brand" viewBox="0 0 24 24" aria-hidden="true">
      <rect width="24" height="24" rx="7" />
      <path d="m7 12.5 3.5 3.5L17 8.5" />
    </svg>
  );
}

/** The frame of every page of a signed-in user. */
export function Frame({ page, children }: { page: keyof typeof PAGES; children: ReactNode }) {
  return (
    <>
      <header className="top">
        <Brand />
        <nav aria-label="Pages">
          {Object.entries(PAGES).map(([path, name]) => (
            <Link key={path} href={path} prefetch={false} aria-current={path === page ? "page" : undefined}>
              {name}
            </Link>
          ))}
        </nav>
      </header>
      <main>{children}</main>
    </>
  );
}
