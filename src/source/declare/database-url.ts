import type { DatabaseKind } from '../../define/source.js'

interface Form {
  title: string
  /** How an address of it begins. */
  begins: RegExp
  example: string
}

/** PostgreSQL's client takes paths of sockets as well, that of SQL Server lists of settings. */
const forms: Readonly<Record<DatabaseKind, Form>> = {
  postgres: {
    title: 'PostgreSQL',
    begins: /^(postgres(ql)?:\/\/|socket:|\/)/i,
    example: 'postgres://user:password@host:5432/database',
  },
  mysql: {
    title: 'MySQL',
    begins: /^(mysql|mariadb)s?:\/\//i,
    example: 'mysql://user:password@host:3306/database',
  },
  sqlserver: {
    title: 'SQL Server',
    begins: /^((sqlserver|mssql):\/\/|[^:]*=|[^:=]*:[^/])/i,
    example: 'sqlserver://user:password@host:1433/database',
  },
}

/** What is wrong with the URL of a database, without showing it; `undefined` if nothing is. */
export function databaseUrlProblem(
  database: DatabaseKind,
  url: string,
): { message: string; hint: string } | undefined {
  const { title, begins, example } = forms[database]
  if (url === '' || begins.test(url)) return undefined
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(url) ?? []
  const message = scheme
    ? `${scheme}… is not a URL of ${title}`
    : `the URL of the ${title} database does not begin with ${example.replace(/\/\/.*/, '//')}`
  return { message, hint: `Write it as ${example}.` }
}

/** The kind of a database by its title. */
export const databaseOfTitle = (title: string): DatabaseKind | undefined =>
  (Object.keys(forms) as DatabaseKind[]).find((kind) => forms[kind].title === title)
