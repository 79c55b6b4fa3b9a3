/** The folder of a table of the lake, by a file of its metadata: what `metadata/` is in. */
export const tableFolder = (metadata: string) =>
  metadata.slice(0, metadata.lastIndexOf('/metadata/'))
