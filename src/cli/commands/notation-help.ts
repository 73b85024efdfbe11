/** The short notation of bounds, for the help of the commands that take it. */
export const NOTATION_HELP = `
The notation of --allow:
  TYPE member=value member=value …     docs/cli.md has it in full, docs/bounds.md what it means

  subject=Minutes               exactly this; with spaces: subject="The minutes"
  method=GET|HEAD               one of these
  body=*                        anything
  to=*@company.com              an address at this domain (or *@a.com|*@b.com)
  title=Re:*   file=*.pdf       begins so, ends so
  seats<=4   price=10..20.50    at most, from … to …; >= for at least
  path=within:/data             this path or one inside it
  url=url:https://api.example/v1/      this URL or one inside it; …/v1/?* with a query, too
  cc?=*@company.com             absent, or so
  to=*@company.com max-items=2  a list: each item so, at most two
  creditorAccount.iban=DE…      a member inside a member
  arguments={"dry_run":true}    JSON, constraints included
  locations=https://a.example   where, in a delegation without --resource

  What an action may leave out, and is not mentioned, must be left out. What every action
  has, and is not mentioned, may be anything: the answer says so. Put the whole bound in
  single quotes, or the shell takes * and < for itself.`
