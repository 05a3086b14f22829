package page_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// Each text and the nodes that Slack makes of it, written as HTML.
var mrkdwn = []struct{ name, text, html string }{
	{"bold", "*a b* c", "<b>a b</b> c"},
	{"bold inside of a word", "a*b*c 2*3*4", "a*b*c 2*3*4"},
	{"bold over a space", "* a*", "* a*"},
	{"bold over lines", "*a\nb*", "*a\nb*"},
	{"markdown's bold", "**a**", "**a**"},
	{"nested", "*_a_ ~b~*", "<b><i>a</i> <s>b</s></b>"},
	{"snake case", "session_store_down", "session_store_down"},
	{"code holds", "`*a* <b`", "<code>*a* &lt;b</code>"},
	{"fence holds", "```\n*a*\n```", `<pre class="fence">*a*</pre>`},
	{"escapes", "&lt;b&gt; &amp;lt;", "&lt;b&gt; &amp;lt;"},
	{"quote", "&gt; a\n&gt; b\nc", "<blockquote>a\nb</blockquote>c"},
	{"quote to the end", "&gt;&gt;&gt; a\nb", "<blockquote>a\nb</blockquote>"},
	{"link", "<https://a.example/?x=1&amp;y|one>", `<a href="https://a.example/?x=1&amp;y" target="_blank" rel="noopener noreferrer">one</a>`},
	{"bare address", "see https://a.example/x.", `see <a href="https://a.example/x" target="_blank" rel="noopener noreferrer">https://a.example/x</a>.`},
	{"script address", "<javascript:alert(1)|x>", "<span>x</span>"},
	{"raw tag", "<img src=x onerror=alert(1)>", "<span>&lt;img src=x onerror=alert(1)&gt;</span>"},
	{"broadcast", "<!channel>", `<span class="mention mention-own">@channel</span>`},
	{"escaped broadcast", "&lt;!channel&gt;", "&lt;!channel&gt;"},
	{"person", "<@U_A>", `<span class="mention">@Ann</span>`},
	{"group with label", "<!subteam^S1|@sre>", `<span class="mention">@sre</span>`},
	{"emoji", ":x: :nope:", `<span class="emoji" role="img" aria-label=":x:" title=":x:">❌</span> :nope:`},
	{"no emoji in a time", "10:30:45", "10:30:45"},
	{"date", "<!date^0^{date_num}|then>", `<time title="Jan 1st at 12:00 AM" data-at="0" data-pattern="{date_num}">1970-01-01</time>`},
	{"date without sense", "<!date^x^{date_num}|then>", `<time data-at="x" data-pattern="{date_num}">then</time>`},
	{"open mark", "*a", "*a"},
	{"open token", "a < b", "a &lt; b"},
}

func TestMrkdwn(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/", 800, 600))
	for _, each := range mrkdwn {
		t.Run(strings.ReplaceAll(each.name, " ", "-"), func(t *testing.T) {
			text, err := json.Marshal(each.text)
			must(t, err)
			var got string
			must(t, b.Eval(`Promise.all([import("/assets/js/mrkdwn.js"), import("/assets/js/people.js")]).then(([m, p]) => {
				const directory = new p.Directory({users: [{id: "U_A", name: "ann", real_name: "Ann"}], channels: [], bot: {user_id: "U_B", name: "bot"}});
				const box = document.createElement("div");
				box.append(m.mrkdwn(`+string(text)+`, {directory, user: "U_C"}));
				return box.innerHTML;
			})`, &got))
			if got != each.html {
				t.Errorf("%q\n got %s\nwant %s", each.text, got, each.html)
			}
		})
	}
}

func TestDates(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/", 800, 600))
	for expression, want := range map[string]string{
		`ago(new Date(0), new Date(3000))`:                                            "just now",
		`ago(new Date(0), new Date(42000))`:                                           "42 seconds ago",
		`ago(new Date(0), new Date(61000))`:                                           "1 minute ago",
		`ago(new Date(7200e3), new Date(0))`:                                          "in 2 hours",
		`dayTitle(new Date(Date.UTC(2026,10,23)), new Date(Date.UTC(2026,10,23,9)))`:  "Today",
		`dayTitle(new Date(Date.UTC(2026,10,22)), new Date(Date.UTC(2026,10,23,9)))`:  "Yesterday",
		`dayTitle(new Date(Date.UTC(2026,10,12)), new Date(Date.UTC(2026,10,23,9)))`:  "Thursday, November 12th",
		`when(new Date(Date.UTC(2026,10,23,2,53)), new Date(Date.UTC(2026,10,23,9)))`: "today at 2:53 AM",
	} {
		var got string
		must(t, b.Eval(`import("/assets/js/dates.js").then(({ago, dayTitle, when}) => `+expression+`)`, &got))
		if strings.ReplaceAll(got, "\u202f", " ") != want {
			t.Errorf("%s is %q, not %q", expression, got, want)
		}
	}
}
