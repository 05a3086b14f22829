// Package page is the face of the local Slack workspace: a page that looks and
// behaves like Slack's, to press a bot's buttons and to take its pictures.
//
// It owns static files alone: HTML, CSS and JavaScript modules without a build
// step, and what they need of others (vendor, fonts). It never fetches anything
// from another address, never runs what a message says (text becomes text
// nodes, and the Content-Security-Policy forbids the rest), and keeps no state:
// all of it is the server's, asked for under /user/ on the same origin.
//
// The address is a deep link: /?user=U_RESPONDER&channel=C_INC&thread=TS&theme=dark.
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var files embed.FS

// Only the page's own files run or are fetched. Pictures may stand in a data
// URL; a picture elsewhere is drawn as its description.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; " +
	"img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

// Handler serves the page at / and its files under /assets/. Everything else
// is not found: the workspace's own routes are to be mounted beside it.
func Handler() http.Handler {
	assets, err := fs.Sub(files, "assets")
	if err != nil {
		panic(err) // the directory is compiled in: only a broken build gets here
	}
	server := http.StripPrefix("/assets/", http.FileServerFS(assets))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		// A rebuilt binary must not meet the old one's modules.
		head.Set("Cache-Control", "no-cache")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			http.Error(w, "this is only read: use GET", http.StatusMethodNotAllowed)
		case r.URL.Path == "/":
			http.ServeFileFS(w, r, assets, "index.html")
		case strings.HasPrefix(r.URL.Path, "/assets/") && path.Ext(r.URL.Path) != "":
			// Not left to the machine's table of types, which may lack or change it.
			if path.Ext(r.URL.Path) == ".js" {
				head.Set("Content-Type", "text/javascript; charset=utf-8")
			}
			server.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}
