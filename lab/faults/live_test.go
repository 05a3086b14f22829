package faults_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

// canary is every copy's password: nothing that the lab prints may hold it.
const canary = "canary-faults-2f9d61"

// sample is what -short tries of the faults: a configuration, a volume and the
// workload itself. The short run of live/fixes breaks more, and of live/verdicts.
var sample = []string{"config-error/deployment", "corrupt-aof/deployment", "scaled-to-zero/statefulset"}

// TestMain tries more copies at once than there are cores: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	m.Run()
}

// TestFaults breaks a copy of each shape by each fault on a real cluster. It
// looks at it as a person with kubectl would and heals it; those that the course
// can mend by hand it breaks again and mends as a person would. With -short it
// tries a sample of them.
func TestFaults(t *testing.T) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: repo, Images: workload.Images, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	cases := cases()
	for _, name := range faults.Names() {
		if _, there := cases[name]; !there {
			t.Errorf("%s has no case", name)
		}
		for _, shape := range workload.Shapes() {
			if testing.Short() && !slices.Contains(sample, name+"/"+shape) {
				continue
			}
			t.Run(name+"/"+shape, func(t *testing.T) {
				t.Parallel()
				p := admit(t, lab.Kubeconfig, "faults-"+strings.ReplaceAll(name, "/", "-")+"-"+shape, shape)
				p.live(name, cases[name])
			})
		}
	}
}

// TestAStoreOfOthersIsNotBroken: whoever names the wrong namespace or cluster loses
// nothing.
func TestAStoreOfOthersIsNotBroken(t *testing.T) {
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: "../..", Images: workload.Images, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	err = faults.Break(t.Context(), faults.Options{Kubeconfig: lab.Kubeconfig, Namespace: "default"}, "scaled-to-zero")
	if err == nil || !strings.Contains(err.Error(), "was not made by the lab") {
		t.Errorf("%v", err)
	}
	err = faults.Break(t.Context(), faults.Options{Kubeconfig: lab.Kubeconfig, Namespace: "nowhere"}, "scaled-to-zero")
	if !errors.Is(err, workload.ErrMissing) {
		t.Errorf("%v", err)
	}
}

// patient is one copy of the workload.
type patient struct {
	*testing.T
	copy    *workload.Copy
	options workload.Options
	printed *record
}

// admit brings a healthy copy, and takes it away at the test's end.
func admit(t *testing.T, kubeconfig, namespace, shape string) *patient {
	t.Helper()
	printed := &record{}
	o := workload.Options{Kubeconfig: kubeconfig, Namespace: namespace, Shape: shape, Password: canary, Out: printed}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := workload.Down(ctx, o); err != nil {
			t.Error(err)
		}
		if strings.Contains(printed.String(), canary) {
			t.Error("the lab printed the password")
		}
		if t.Failed() {
			t.Log(printed.String())
		}
	})
	if err := workload.Up(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Shape, o.Password = "", "" // from here on both are kept as they are
	c, err := workload.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return &patient{T: t, copy: c, options: o, printed: printed}
}

// live is one fault's whole course.
func (p *patient) live(name string, c course) {
	shape, err := p.copy.Shape(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	p.breakBy(name, c)
	c.see(p)
	p.hearsTheApplication(c)
	p.refusesASecondFault(name)
	if err := workload.Heal(p.Context(), p.options); err != nil {
		p.Fatal(err)
	}
	p.isHealthy()
	if now, err := p.copy.Shape(p.Context()); err != nil || now != shape {
		p.Fatalf("healed into a %q, was a %s (%v)", now, shape, err)
	}
	if c.mend == nil {
		return
	}
	p.breakBy(name, c)
	c.mend(p)
	p.isHealthy()
	if keys := p.keys(); keys < c.keys {
		p.Errorf("%d sessions are left, want %d and more", keys, c.keys)
	}
}

func (p *patient) breakBy(name string, c course) {
	p.Helper()
	o := faults.Options{Kubeconfig: p.options.Kubeconfig, Namespace: p.options.Namespace, Out: p.printed}
	if err := faults.Break(p.Context(), o, name); err != nil {
		p.Fatal(err)
	}
	status, err := p.copy.Look(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	if ready := status.Redis.Why == ""; ready != c.ready {
		p.Fatalf("the store's pods are ready while it is broken: %t, want %t (%s)", ready, c.ready, status.Redis.Why)
	}
}

// refusesASecondFault: the same fault is done already, and no other comes on top.
func (p *patient) refusesASecondFault(name string) {
	p.Helper()
	var out bytes.Buffer
	o := faults.Options{Kubeconfig: p.options.Kubeconfig, Namespace: p.options.Namespace, Out: &out}
	p.until("the same fault to be known", func() bool {
		out.Reset()
		err := faults.Break(p.Context(), o, name)
		// Between two starts nothing shows for a moment, which is refused too.
		if err != nil && !errors.Is(err, faults.ErrBroken) {
			p.Fatal(err)
		}
		return strings.Contains(out.String(), "broken so already")
	})
	for _, one := range sample {
		other := path.Dir(one)
		if other == name {
			continue
		}
		if err := faults.Break(p.Context(), o, other); !errors.Is(err, faults.ErrBroken) {
			p.Errorf("%s on top of %s: %v", other, name, err)
		}
	}
}

// hearsTheApplication: its log names what it meets, if it meets anything.
func (p *patient) hearsTheApplication(c course) {
	p.Helper()
	if c.unheard {
		return
	}
	heard := cmp.Or(c.hears, "dial tcp ")
	p.until("the application to complain of "+heard, func() bool {
		for _, line := range p.applicationLog() {
			if strings.HasPrefix(line, "redis: ") && strings.Contains(line, heard) {
				return true
			}
		}
		return false
	})
}

func (p *patient) isHealthy() {
	p.Helper()
	p.until("a healthy store", func() bool {
		status, err := p.copy.Look(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		complaints, _, err := p.copy.Complaints(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		return status.Healthy() && len(complaints) == 0
	})
}

// until polls for as long as a loaded machine may take.
func (p *patient) until(what string, done func() bool) {
	p.Helper()
	err := wait.PollUntilContextTimeout(p.Context(), 300*time.Millisecond, 90*time.Second, true,
		func(context.Context) (bool, error) { return done(), nil })
	if err != nil {
		p.Fatalf("wait for %s: %v", what, err)
	}
}

// record keeps what the lab prints.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}
