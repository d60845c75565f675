/** A page of HTML that leads to the pages of a server: what a browser finds at `/`. */
export function landingPage(title: string, paths: Iterable<string>): string {
  const links = [...paths].map((path) => `      <li><a href="${escapeHtml(path)}">${escapeHtml(path)}</a></li>\n`)
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${escapeHtml(title)}</title>
  </head>
  <body>
    <h1>${escapeHtml(title)}</h1>
    <ul>
${links.join('')}    </ul>
  </body>
</html>
`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}
