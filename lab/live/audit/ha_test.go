package audit

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// ha is what the copy is called.
const ha = workload.Redis + "-ha"

// TestManifests: the API server accepts what the bot writes for either shape,
// once the bot may ask; until then it says what it lacks, and writes it all the same.
func TestManifests(t *testing.T) {
	t.Parallel()
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.StatefulSet {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			p := live.Admit(t, "ha-"+strings.ToLower(shape), shape, canary)
			written, said, code := run(p, "ha")
			if code != 1 || !strings.Contains(said, "The bot may not create configmaps") || !strings.Contains(said, "verbs: [create]") {
				t.Errorf("exit code %d without the right to ask:\n%s", code, said)
			}
			p.Grant(p.Grants("--dry-run-of-ha"))
			again, said, code := run(p, "ha")
			if code != 0 || !strings.Contains(said, "all 5 objects are accepted") {
				t.Errorf("exit code %d:\n%s", code, said)
			}
			if len(read(t, written)) != 4 || len(read(t, again)) != 4 {
				t.Errorf("not 4 objects:\n%s", written)
			}
		})
	}
}

// read parses the objects of a file of manifests.
func read(t *testing.T, text string) (all []*unstructured.Unstructured) {
	t.Helper()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := utilyaml.Unmarshal(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		if len(object.Object) > 0 { // the first document is the comment
			all = append(all, object)
		}
	}
}

// TestFailover runs the copy: the sessions come over, and the master can be
// taken away, gently and by force, without anything that was written being lost.
func TestFailover(t *testing.T) {
	if testing.Short() {
		return // minutes
	}
	p := live.Admit(t, "failover", workload.StatefulSet, canary)
	text, said, _ := run(p, "ha")
	c := &copied{Patient: p}
	c.apply(read(t, text))
	c.until("three pods are ready", 4*time.Minute, func() bool { return c.ready() == 3 })
	c.until("the master has two replicas and three Sentinels", time.Minute, func() bool {
		status, _ := points(p, "--workload", ha)
		return status["sentinel"] == "ok"
	})
	c.move(said)

	first := c.master()
	c.remove(first, nil)
	second := c.next(first)
	c.write("handed-over", second)
	c.until("the old master is back as a replica", 3*time.Minute, func() bool { return c.ready() == 3 && c.role(first) == "slave" })

	// A master that answers nobody, as on a node that hangs: nobody hands over.
	c.redis(second, "client", "pause", "60000", "all")
	third := c.next(second)
	c.write("failed-over", third)
	c.until("all three are well", 3*time.Minute, func() bool { return c.ready() == 3 && c.role(second) == "slave" })

	// Everything at once: they find the newest master by what they have noted.
	zero := int64(0)
	c.remove("", &zero)
	c.until("all three are well again", 4*time.Minute, func() bool { return c.ready() == 3 })
	last := c.master()
	for _, key := range []string{"handed-over", "failed-over"} {
		if got := c.redis(last, "get", key); got != key {
			t.Errorf("%s on %s: %q", key, last, got)
		}
	}
}

// copied is the highly available copy of a patient's store.
type copied struct{ *live.Patient }

func (c *copied) apply(objects []*unstructured.Unstructured) {
	c.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Admin)
	if err != nil {
		c.T.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		c.T.Fatal(err)
	}
	resources := map[string]string{"ConfigMap": "configmaps", "Service": "services", "PodDisruptionBudget": "poddisruptionbudgets", "StatefulSet": "statefulsets"}
	for _, object := range objects {
		kind := object.GroupVersionKind()
		resource := schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: resources[kind.Kind]}
		if _, err := client.Resource(resource).Namespace(c.Namespace).Create(c.T.Context(), object, metav1.CreateOptions{}); err != nil {
			c.T.Fatal(err)
		}
	}
}

func (c *copied) pods() []corev1.Pod {
	c.T.Helper()
	list, err := c.Copy.Clients.CoreV1().Pods(c.Namespace).List(c.T.Context(), metav1.ListOptions{LabelSelector: "app=" + ha})
	if err != nil {
		c.T.Fatal(err)
	}
	return list.Items
}

func (c *copied) ready() int {
	ready := 0
	for _, pod := range c.pods() {
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil {
				ready++
			}
		}
	}
	return ready
}

// ask asks one pod's Redis; "" where nobody answers.
func (c *copied) ask(pod string, words ...string) string {
	ctx, cancel := context.WithTimeout(c.T.Context(), 5*time.Second)
	defer cancel()
	out, err := c.Copy.Exec(ctx, pod, append([]string{"redis-cli"}, words...)...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// redis asks one pod's Redis, which must answer.
func (c *copied) redis(pod string, words ...string) string {
	c.T.Helper()
	said := c.ask(pod, words...)
	if said == "" {
		c.T.Fatalf("%s does not answer %v", pod, words)
	}
	return said
}

func (c *copied) role(pod string) string {
	first, _, _ := strings.Cut(c.ask(pod, "role"), "\n")
	return first
}

// master is the one that a Sentinel names and that takes the name upon itself.
func (c *copied) master() string {
	c.T.Helper()
	found := ""
	c.until("a Sentinel names a master", time.Minute, func() bool { found = c.named(); return found != "" && c.role(found) == "master" })
	return found
}

// named is whom the Sentinels name, where all that answer name the same.
func (c *copied) named() string {
	names := map[string]bool{}
	for _, pod := range c.pods() {
		host, _, _ := strings.Cut(c.ask(pod.Name, "-p", "26379", "sentinel", "get-master-addr-by-name", workload.Redis), "\n")
		name, _, found := strings.Cut(host, ".")
		if found {
			names[name] = true
		}
	}
	if len(names) != 1 {
		return ""
	}
	for name := range names {
		return name
	}
	return ""
}

// next is the master after another one.
func (c *copied) next(old string) string {
	c.T.Helper()
	began, found := time.Now(), ""
	c.until("another than "+old+" is the master", time.Minute, func() bool { found = c.named(); return found != "" && found != old && c.role(found) == "master" })
	c.T.Logf("%s is the master %s after %s", found, time.Since(began).Round(time.Second), old)
	return found
}

// write writes a key at the master and sees it in a replica.
func (c *copied) write(key, master string) {
	c.T.Helper()
	if said := c.redis(master, "set", key, key); said != "OK" {
		c.T.Fatalf("%s answers a write with %q", master, said)
	}
	c.until("a replica has "+key, time.Minute, func() bool {
		for _, pod := range c.pods() {
			if pod.Name != master && c.ask(pod.Name, "get", key) == key {
				return true
			}
		}
		return false
	})
}

// remove deletes a pod; all of them for no name.
func (c *copied) remove(name string, grace *int64) {
	c.T.Helper()
	for _, pod := range c.pods() {
		if name != "" && pod.Name != name {
			continue
		}
		if err := c.Copy.Clients.CoreV1().Pods(c.Namespace).Delete(c.T.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: grace}); err != nil {
			c.T.Fatal(err)
		}
	}
}

// move copies the sessions by the line that the bot gives.
func (c *copied) move(said string) {
	c.T.Helper()
	line := ""
	for one := range strings.Lines(said) {
		if strings.Contains(one, " migrate ") {
			line = strings.TrimSpace(one)
		}
	}
	store, found, err := c.Copy.Store(c.T.Context())
	if err != nil || !found || line == "" {
		c.T.Fatalf("no store, or no line in\n%s\n%v", said, err)
	}
	c.redis(store.Pod.Name, "eval", "for i = 1, 1000 do redis.call('SET', 'kept:' .. i, 'x', 'EX', 3600) end return 1", "0")
	out, err := c.Copy.Exec(c.T.Context(), store.Pod.Name, "sh", "-c", line)
	if err != nil {
		c.T.Fatalf("%s: %v\n%s", line, err, out)
	}
	master := c.master()
	if n, _ := strconv.Atoi(c.redis(master, "eval", "return #redis.call('KEYS', 'kept:*')", "0")); n != 1000 {
		c.T.Errorf("%d of 1000 sessions came over\n%s", n, out)
	}
	if left, _ := strconv.Atoi(c.redis(master, "ttl", "kept:500")); left < 3000 {
		c.T.Errorf("a session came over with %d s of 3600 s to live", left)
	}
}

func (c *copied) until(what string, limit time.Duration, ok func() bool) {
	c.T.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			c.tell()
			c.T.Fatalf("not within %s: %s", limit, what)
		}
		time.Sleep(time.Second) // there is no event to wait for
	}
}

// tell logs what each pod is and has said.
func (c *copied) tell() {
	for _, pod := range c.pods() {
		for _, container := range []string{"redis", "sentinel"} {
			lines := int64(25)
			log, err := c.Copy.Clients.CoreV1().Pods(c.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container, TailLines: &lines}).DoRaw(c.T.Context())
			c.T.Logf("%s/%s %s: %v\n%s", pod.Name, container, pod.Status.Phase, err, log)
		}
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			c.T.Logf("%s/%s ready %v, %d restarts, %+v", pod.Name, status.Name, status.Ready, status.RestartCount, status.State)
		}
	}
}
