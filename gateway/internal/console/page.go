package console

// statusPage is drawn at each request; it refreshes itself every five seconds.
const statusPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>Headwater gateway</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1c2b33}
h1{font-size:1.3rem} table{border-collapse:collapse;width:100%} td,th{text-align:right;padding:.3rem .8rem;border-bottom:1px solid #dde5ea}
td:first-child,th:first-child,td.l,th.l{text-align:left} .ok{color:#1b7f4b} .warning{color:#a86500} .error{color:#b3261e}
code{font-size:.85em;word-break:break-all}
</style></head><body>
<h1>Headwater gateway <small>{{.Config.Version}}</small></h1>
<p>{{if .Ready}}<b class="ok">ready</b>{{else}}<b class="error">not ready</b>{{end}}
 · up {{.Up}} · MQTT <code>{{.Config.MQTT}}</code> · data <code>{{.Config.Data}}</code></p>
{{range .Conditions}}<p class="{{.Severity}}"><b>{{.Title}}</b> {{.Detail}} (since {{.Since.UTC.Format "2006-01-02 15:04:05Z"}})</p>
{{else}}<p class="ok">No condition shows.</p>{{end}}
{{if .Err}}<p class="error">The tables cannot be read: {{.Err}}</p>{{end}}
<table><tr><th>table</th><th>rows</th><th>files</th><th>bytes</th><th>snapshots</th><th class="l">last commit</th></tr>
{{range .Tables}}<tr><td>{{.Name}}</td><td>{{.Rows}}</td><td>{{.Files}}</td><td>{{.Bytes}}</td><td>{{.Snapshots}}</td>
<td class="l">{{if .LastCommit.IsZero}}never{{else}}{{.LastCommit.UTC.Format "2006-01-02 15:04:05.000Z"}}{{end}}</td></tr>
{{end}}</table>
<details><summary>What words mean here</summary><dl>
{{range .Words}}<dt><b>{{.Word}}</b></dt><dd>{{.Meaning}}</dd>
{{end}}</dl></details>
<p><a href="/metrics">metrics</a> · <a href="/healthz">health</a> · <a href="/readyz">ready</a></p>
</body></html>
`
