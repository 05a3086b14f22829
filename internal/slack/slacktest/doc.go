// Package slacktest is a local Slack workspace: one HTTP server on loopback that speaks Slack's Web API and Socket Mode to
// an app, and plays the people who use it over a small JSON interface of its own.
//
// It is strict where Slack is strict. Scopes, arguments, Block Kit, rate limits, acknowledgements, triggers and response
// URLs are judged as Slack judges them, with Slack's error codes, and every breach by the app is kept for
// GET /user/violations. It never calls out, never listens beyond loopback, and keeps nothing after Close.
//
// # The people's side
//
// Bodies and answers are JSON; every answer has "ok", and "error" when ok is false.
//
//	POST /user/command  {user,channel,command,text}                 → {ok,ackMs,ack}
//	POST /user/click    {user,channel,ts,actionId,blockId?,value?,confirmed?,stale?} → {ok,ackMs}
//	                    {user,viewId,actionId,…} clicks in a modal; "value" chooses in selects, pickers and inputs
//	POST /user/submit   {user,viewId,values:{blockId:{actionId:value}}} → {ok,ackMs,errors?}
//	POST /user/close    {user,viewId}
//	POST /user/message  {user,channel,text,thread?}                 → {ok,ts}
//	GET  /user/view?user=U                                          → the modal on top, or null
//	GET  /user/messages?user=U&channel=C[&thread=TS]                → {ok,messages}
//	GET  /user/workspace                                            → team, people, channels, commands, bot
//	GET  /user/violations                                           → {ok,violations:[{at,kind,detail}]}
//	GET  /user/events                                               → server-sent events that say what to fetch again
//	POST /user/fault    {kind,…}                                    → {ok}
//
// # Faults
//
// POST /user/fault makes the workspace misbehave as Slack does:
//
//	{"kind":"disconnect","reason":R,"count":N,"seconds":S}
//	    Ends every connection. With a reason ("warning", "refresh_requested", "link_disabled", "too_many_websockets") the
//	    disconnect frame goes ahead, by S seconds for "warning" (10 unless told). Without one the link just drops. With
//	    count N, the next N connections end the same way right after their hello.
//	{"kind":"refresh"}
//	    Short for a disconnect with the reason "refresh_requested".
//	{"kind":"ratelimit","method":M,"count":N,"seconds":S}
//	    The next N calls (1) of M (any method) answer 429 with Retry-After S (1). Calling again before that is a violation.
//	{"kind":"error","method":M,"error":E,"count":N}
//	    The next N calls (1) of M (any) answer the error E ("internal_error"). An E of three digits is an HTTP status.
//	{"kind":"slow","method":M,"count":N,"seconds":S}
//	    The next N calls (1) of M (any) wait S seconds (1) before they are looked at.
//	{"kind":"duplicate","count":N}
//	    The next N envelopes (1) are delivered twice.
package slacktest
