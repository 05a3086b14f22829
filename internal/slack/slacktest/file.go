package slacktest

import (
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"
)

// file is an upload: announced, then sent, then shared.
type file struct {
	id       string
	name     string
	title    string
	alt      string
	length   int
	snippet  string
	ticket   string
	content  []byte
	sent     bool
	shared   bool
	created  int64
	channels []string
}

// mimetype goes by the content, not by this machine's table of extensions.
func (f *file) mimetype() string {
	kind, _, _ := strings.Cut(http.DetectContentType(f.content), ";")
	if utf8.Valid(f.content) && (f.snippet != "" || strings.HasPrefix(kind, "text/")) {
		return "text/plain"
	}
	return kind
}

// filetype is Slack's name of a kind of file: its extension, "text" for plain text.
func (f *file) filetype() string {
	switch ext := strings.TrimPrefix(path.Ext(f.name), "."); {
	case f.snippet != "":
		return f.snippet
	case ext == "" || ext == "txt" || ext == "log":
		return "text"
	default:
		return ext
	}
}

func (f *file) json(w *Workspace) object {
	out := object{
		"id": f.id, "created": f.created, "timestamp": f.created, "name": f.name, "title": f.title, "mimetype": f.mimetype(),
		"filetype": f.filetype(), "pretty_type": strings.ToUpper(f.filetype()), "user": BotUser, "user_team": TeamID,
		"editable": strings.HasPrefix(f.mimetype(), "text/"), "size": len(f.content), "mode": "hosted", "is_external": false,
		"external_type": "", "is_public": len(f.channels) > 0, "public_url_shared": false, "display_as_bot": false,
		"username": "", "url_private": w.ready.Page + "files/" + f.id + "/" + f.name,
		"url_private_download": w.ready.Page + "files/" + f.id + "/download/" + f.name,
		"permalink":            w.ready.Page + "files/" + f.id, "has_rich_preview": false, "file_access": "visible",
		"channels": f.channels,
	}
	if f.alt != "" {
		out["alt_txt"] = f.alt
	}
	if strings.HasPrefix(f.mimetype(), "text/") {
		out["preview"], out["lines"] = cut(string(f.content), 400), strings.Count(string(f.content), "\n")+1
		out["mode"] = "snippet"
	}
	return out
}

func (w *Workspace) filesGetUploadURL(args arguments) (object, *refusal) {
	if utf8.RuneCountInString(args.text("alt_txt")) > 1000 {
		return nil, refuse("alt_txt_too_large")
	}
	f := &file{
		id: w.id("F"), name: path.Base(args.text("filename")), alt: args.text("alt_txt"), length: args.number("length", 0),
		snippet: args.text("snippet_type"), ticket: secret(), created: w.now().Unix(),
	}
	f.title = f.name
	if f.snippet != "" && f.length > 1<<20 {
		return nil, refuse("snippet_too_large")
	}
	w.files[f.id] = f
	return object{"upload_url": "http://" + w.host + "/upload/v1/" + f.ticket, "file_id": f.id}, nil
}

// upload takes the bytes: as the body, or as the one file of a form.
func (w *Workspace) upload(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	var f *file
	for _, o := range w.files {
		if o.ticket == r.PathValue("ticket") {
			f = o
		}
	}
	w.mu.Unlock()
	if f == nil {
		http.Error(rw, "no such upload", http.StatusNotFound)
		return
	}
	content, err := uploaded(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.breach(UploadWrong, "%s: %v", f.name, err)
	case f.sent:
		w.breach(UploadWrong, "%s was sent twice to one upload URL", f.name)
	case len(content) != f.length:
		w.breach(UploadWrong, "%s: %d bytes were announced, %d came", f.name, f.length, len(content))
	default:
		f.content, f.sent = content, true
		_, _ = io.WriteString(rw, "OK - "+f.name)
		return
	}
	http.Error(rw, "upload refused", http.StatusBadRequest)
}

const maxUpload = 64 << 20

func uploaded(r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxUpload)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		return io.ReadAll(r.Body)
	}
	form, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" || part.FormName() == "file" || part.FormName() == "filename" {
			return io.ReadAll(part)
		}
	}
}

func (w *Workspace) filesComplete(args arguments) (object, *refusal) {
	value, _ := args.decoded("files")
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, refuseWith("invalid_arguments", []string{"[ERROR] must provide an array [json-pointer:/files]"})
	}
	var files []*file
	for _, v := range list {
		entry, _ := v.(object)
		id, _ := entry["id"].(string)
		f := w.files[id]
		switch {
		case f == nil || f.shared:
			return nil, refuse("file_not_found")
		case !f.sent:
			bad := refuse("file_update_failed")
			bad.detail = f.name + " was announced and never sent"
			return nil, bad
		}
		if title, _ := entry["title"].(string); title != "" {
			f.title = title
		}
		files = append(files, f)
	}
	rooms, thread, bad := w.sharedTo(args)
	if bad != nil {
		return nil, bad
	}
	blocks, _, bad := w.blocks(args)
	if bad != nil {
		return nil, bad
	}
	for _, f := range files {
		f.shared = true
		for _, r := range rooms {
			f.channels = append(f.channels, r.ID)
		}
	}
	for _, r := range rooms {
		w.add(&message{
			channel: r.ID, thread: thread, user: BotUser, bot: true, text: args.text("initial_comment"), blocks: blocks, files: files,
		})
		w.nudge(nudge{Type: "file", Channel: r.ID})
	}
	out := []any{}
	for _, f := range files {
		out = append(out, f.json(w))
	}
	return object{"files": out}, nil
}

// sharedTo are the conversations that files go to; none keeps them private.
func (w *Workspace) sharedTo(args arguments) (rooms []*room, thread string, bad *refusal) {
	refs := strings.FieldsFunc(args.text("channels"), func(r rune) bool { return r == ',' })
	if id := args.text("channel_id"); id != "" {
		refs = []string{id}
	}
	for _, ref := range refs {
		r, bad := w.visible(ref)
		switch {
		case bad != nil:
			return nil, "", bad
		case !r.has(BotUser):
			return nil, "", refuse("not_in_channel")
		}
		rooms = append(rooms, r)
	}
	if len(rooms) == 1 {
		thread, bad = w.parent(rooms[0], args.text("thread_ts"))
	}
	return rooms, thread, bad
}

// download gives a file's bytes to the page.
func (w *Workspace) download(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	f := w.files[r.PathValue("id")]
	w.mu.Unlock()
	if f == nil || !f.shared {
		http.NotFound(rw, r)
		return
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	rw.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.name}))
	_, _ = rw.Write(f.content)
}
