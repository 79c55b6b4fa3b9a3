/**
 * Checksums of DuckDB's packages for Lambda, as package-lock.json has them: what is fetched for
 * another machine must be what was tested.
 */
export const integrity: Readonly<Record<string, string>> = {
  '@duckdb/node-bindings-linux-arm64@1.5.5-r.5':
    'sha512-CafH2AIvXtpwDynG3KB/4uEOHRGlFoB7auCRMIwH3BKNIobsANV5LSpDJ3tfyRCFIsK6e8AT1eseWVnu2Dv3cw==',
  '@duckdb/node-bindings-linux-x64@1.5.5-r.5':
    'sha512-kCyq6BXhn6QXfwF8yVdVKriSSHP+rfVWcJ56cG8qZzlOZpxyvT5WGm6jMshxg4ditLlOsHsIN/D47RYrcjXuHQ==',
}
