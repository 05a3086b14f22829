// Package monitoring runs a real Prometheus, Alertmanager and exporter of Redis
// beside the lab's cluster, so that the alert about a broken store arrives by
// itself.
//
// It owns three processes on loopback and their folder, and leaves neither
// behind. It installs no service, and breaks nothing.
package monitoring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// packages are what it needs of Debian, and why.
var packages = []cluster.Package{
	{Name: "prometheus", Why: "watches the store"},
	{Name: "prometheus-alertmanager", Why: "tells the bot of its alert"},
	{Name: "prometheus-redis-exporter", Why: "asks Redis for what Prometheus watches"},
}

// Options say what is watched, and who is told.
type Options struct {
	Repo     string           // root of the repository, for the shipped rule
	Workload workload.Options // the copy that is watched
	Webhook  string           // of the bot
	Token    string           // that the bot wants
	For      time.Duration    // how long a condition lasts before its alert fires; the shipped rule has minutes
	Out      io.Writer        // for progress, a line each
}

// Monitoring is the three of them.
type Monitoring struct {
	Prometheus   string // its address, http://127.0.0.1:…
	Alertmanager string

	folder   string
	targets  *targets
	programs []*program
}

// Start installs what is missing, starts all three, and returns when Prometheus
// has seen the store up and has its rule.
func Start(ctx context.Context, o Options) (m *Monitoring, err error) {
	if err := cluster.Install(ctx, o.Out, packages); err != nil {
		return nil, err
	}
	m = &Monitoring{}
	if m.folder, err = os.MkdirTemp("", "redis-session-monitoring-"); err != nil {
		return nil, err
	}
	if err := m.start(ctx, o); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Monitoring) start(ctx context.Context, o Options) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	exporter, alertmanager, prometheus := ports[0], ports[1], ports[2]
	m.Alertmanager, m.Prometheus = "http://"+alertmanager, "http://"+prometheus
	store, err := workload.Open(o.Workload)
	if err != nil {
		return err
	}
	password, err := store.Password(ctx)
	if err != nil {
		return err
	}
	if m.targets, err = serveTargets(store); err != nil {
		return err
	}
	if err := m.configure(o, exporter, alertmanager); err != nil {
		return err
	}
	for _, p := range []*program{
		{name: "prometheus-redis-exporter", env: []string{"REDIS_PASSWORD=" + password}, ready: "http://" + exporter + "/health",
			args: []string{"-web.listen-address=" + exporter, "-redis.addr=", "-connection-timeout=2s"}},
		{name: "prometheus-alertmanager", ready: m.Alertmanager + "/-/ready",
			args: []string{"--config.file=" + m.path("alertmanager.yaml"), "--storage.path=" + m.path("alertmanager"), "--web.listen-address=" + alertmanager, "--cluster.listen-address="}},
		{name: "prometheus", ready: m.Prometheus + "/-/ready",
			args: []string{"--config.file=" + m.path("prometheus.yaml"), "--storage.tsdb.path=" + m.path("prometheus"), "--web.listen-address=" + prometheus}},
	} {
		if err := p.start(m.path(p.name + ".log")); err != nil {
			return err
		}
		m.programs = append(m.programs, p)
		if err := p.await(ctx); err != nil {
			return err
		}
	}
	if err := m.awaitUp(ctx); err != nil {
		return err
	}
	return m.alert(ctx, o)
}

func (m *Monitoring) path(name string) string { return filepath.Join(m.folder, name) }

// prometheusConfig asks the exporter about each target: the way of an exporter
// for several.
const prometheusConfig = `global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}
rule_files: [rules.yaml]
alerting:
  alertmanagers:
  - static_configs: [{targets: [%q]}]
scrape_configs:
- job_name: redis-session
  metrics_path: /scrape
  http_sd_configs: [{url: %q, refresh_interval: 2s}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target, replacement: "redis://$1"}
  - {target_label: __address__, replacement: %q}
`

const alertmanagerConfig = `route: {receiver: bot, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1m}
receivers:
- name: bot
  webhook_configs:
  - {url: %q, send_resolved: true, http_config: {authorization: {credentials_file: %q}}}
`

// lasts is the part of the rule that says how long a condition must hold.
var lasts = regexp.MustCompile(`(?m)^( +for: ).*$`)

// configure writes what the programs read. There is no rule yet: before the
// first scrape the target is absent, and that would be an alert.
func (m *Monitoring) configure(o Options, exporter, alertmanager string) error {
	for name, content := range map[string]string{
		"rules.yaml":        "groups: []\n",
		"token":             o.Token,
		"prometheus.yaml":   fmt.Sprintf(prometheusConfig, alertmanager, m.targets.address, exporter),
		"alertmanager.yaml": fmt.Sprintf(alertmanagerConfig, o.Webhook, m.path("token")),
	} {
		if err := os.WriteFile(m.path(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// alert gives Prometheus its rule: the shipped one, only less patient.
func (m *Monitoring) alert(ctx context.Context, o Options) error {
	shipped, err := os.ReadFile(filepath.Join(o.Repo, "deploy", "alerts", "redis-session.rules.yaml"))
	if err != nil {
		return fmt.Errorf("read the alert rule: %w", err)
	}
	if err := os.WriteFile(m.path("rules.yaml"), lasts.ReplaceAll(shipped, []byte("${1}"+o.For.String())), 0o600); err != nil {
		return err
	}
	prometheus := m.programs[len(m.programs)-1]
	if err := prometheus.command.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("give Prometheus the alert rule: %w", err)
	}
	err = eventually(ctx, func(ctx context.Context) error {
		answer, err := get(ctx, m.Prometheus+"/api/v1/rules")
		if err == nil && !strings.Contains(answer, `"name":"RedisSessionStoreDown"`) {
			err = errors.New("it has not read the alert rule")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("give Prometheus the alert rule: %w", err)
	}
	return nil
}

// awaitUp waits until Prometheus has scraped the store some times, so that there
// is a course to be seen.
func (m *Monitoring) awaitUp(ctx context.Context) error {
	const seen = `redis_up{job="redis-session"} == 1 and count_over_time(redis_up{job="redis-session"}[5m]) >= 4`
	err := eventually(ctx, func(ctx context.Context) error {
		answer, err := get(ctx, m.Prometheus+"/api/v1/query?query="+url.QueryEscape(seen))
		if err == nil && !strings.Contains(answer, `"__name__":"redis_up"`) {
			err = errors.New("the exporter gets no answer from the store")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("watch the store: %w", err)
	}
	return nil
}

// Close stops all three, the last started first, and removes their folder.
func (m *Monitoring) Close() error {
	var all error
	for i := len(m.programs) - 1; i >= 0; i-- {
		all = errors.Join(all, m.programs[i].stop())
	}
	if m.targets != nil {
		all = errors.Join(all, m.targets.server.Close())
	}
	return errors.Join(all, os.RemoveAll(m.folder))
}

// program is one of the three, as a child of this process.
type program struct {
	name, ready string
	args, env   []string

	log     string
	command *exec.Cmd
	ended   chan struct{}
}

// grace is how long a program may take to end by itself.
const grace = 10 * time.Second

func (p *program) start(log string) error {
	out, err := os.Create(log)
	if err != nil {
		return err
	}
	defer out.Close()
	p.log, p.ended = log, make(chan struct{})
	p.command = exec.Command(p.name, p.args...)
	p.command.Stdout, p.command.Stderr = out, out
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, p.env...)
	p.command.Dir = filepath.Dir(log)
	// Ctrl-C is for the lab, which stops it in its turn; a lab that is killed takes it along.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	go func() {
		_ = p.command.Wait() // how it ended does not matter; that it did, does
		close(p.ended)
	}()
	return nil
}

// await returns when the program answers, or with its last words.
func (p *program) await(ctx context.Context) error {
	err := eventually(ctx, func(ctx context.Context) error {
		select {
		case <-p.ended:
			return errEnded
		default:
			_, err := get(ctx, p.ready)
			return err
		}
	})
	if err == nil {
		return nil
	}
	words, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s: %w\n%s", p.name, err, words[max(0, len(words)-800):])
}

func (p *program) stop() error {
	if p.command == nil || p.command.Process == nil {
		return nil
	}
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may just have ended
	select {
	case <-p.ended:
		return nil
	case <-time.After(grace):
	}
	err := p.command.Process.Kill()
	<-p.ended
	return err
}

var errEnded = errors.New("it has ended")

// eventually tries until it works, or for half a minute.
func eventually(ctx context.Context, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond): // there is no event to wait for
		}
	}
}

func get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", address, answer.Status)
	}
	return string(body), err
}

// freePorts gives addresses on loopback that nobody listens at.
func freePorts(n int) ([]string, error) {
	var free []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // all of them are held until all are known
		free = append(free, listener.Addr().String())
	}
	return free, nil
}

// FreePort is an address on loopback for the bot's webhook.
func FreePort() (string, error) {
	free, err := freePorts(1)
	return strings.Join(free, ""), err
}
