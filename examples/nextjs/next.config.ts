import type { NextConfig } from "next";

export default {
  devIndicators: false,
  images: { unoptimized: true }, // there are no images, and `sharp` is left out
  poweredByHeader: false,
  serverExternalPackages: ["pg"],
  turbopack: { root: import.meta.dirname },
} satisfies NextConfig;
