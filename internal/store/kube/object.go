package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// The names of objects, and what is written on them beside their content, so that
// lists need not read that.
const (
	manager    = "redis-session-bot"
	namePrefix = manager + "-"
	prefix     = "redis-session-bot/"

	labelManagedBy = "app.kubernetes.io/managed-by"
	labelKind      = prefix + "kind"
	labelActive    = prefix + "active"    // an incident that does not rest
	labelClosedOn  = prefix + "closed-on" // the day, in UTC
	labelPending   = prefix + "pending"   // an incident with lines that are not chained yet
	labelIncident  = prefix + "incident"  // whose evidence it is

	kindIncident = "incident"
	kindEvidence = "evidence"
	kindTrail    = "trail"

	noteVersion  = prefix + "version"
	noteClosedAt = prefix + "closed-at"
	noteChained  = prefix + "chained" // lines of the timeline that are in the trail
	noteMarks    = prefix + "writes"  // the newest writes

	dataKey = "record"
)

// most is how many bytes of content one object gets. Kubernetes takes 1 MiB.
const most = 900_000

// keptMarks is how many writes an object remembers: so many replicas may write
// between a write whose answer is lost and the look for it.
const keptMarks = 16

// head is what is written on an incident's object.
type head struct {
	resourceVersion string
	version         uint64
	active          bool
	chained         int
	marks           []string
}

func headOf(object *corev1.ConfigMap) head {
	number := func(key string) int {
		n, _ := strconv.Atoi(object.Annotations[key]) // 0 for what nobody has written
		return n
	}
	return head{resourceVersion: object.ResourceVersion, version: uint64(number(noteVersion)), active: object.Labels[labelActive] == "true",
		chained: number(noteChained), marks: strings.Fields(object.Annotations[noteMarks])}
}

// wrote reports whether a write has reached the object.
func (h head) wrote(mark string) bool { return slices.Contains(h.marks, mark) }

// marked is a patch that notes how many lines are chained.
func (h head) marked(chained int) []byte {
	body, _ := json.Marshal(map[string]any{"metadata": map[string]any{ // of strings alone
		"resourceVersion": h.resourceVersion,
		"annotations":     map[string]any{noteChained: strconv.Itoa(chained)},
		"labels":          map[string]any{labelPending: nil},
	}})
	return body
}

// object is a ConfigMap of the store's.
func (s *Store) object(name, kind string, content []byte) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: name,
			Labels: map[string]string{labelManagedBy: manager, labelKind: kind}, Annotations: map[string]string{}},
		BinaryData: map[string][]byte{dataKey: content},
	}
}

// packed is an incident's object, in place of what is there.
func (s *Store) packed(inc incident.Incident, is head, mark string) (*corev1.ConfigMap, error) {
	content, err := fitted(inc)
	if err != nil {
		return nil, err
	}
	object := s.object(nameOf(inc.ID), kindIncident, content)
	object.ResourceVersion = is.resourceVersion
	marks := append(slices.Clone(is.marks), mark)
	object.Annotations[noteMarks] = strings.Join(marks[max(0, len(marks)-keptMarks):], " ")
	object.Annotations[noteVersion] = strconv.FormatUint(inc.Version, 10)
	object.Annotations[noteChained] = strconv.Itoa(is.chained)
	if len(inc.Timeline) > is.chained {
		object.Labels[labelPending] = "true"
	}
	if !inc.Rests() {
		object.Labels[labelActive] = "true"
	}
	if !inc.Open() {
		object.Labels[labelClosedOn] = day(inc.ClosedAt)
		object.Annotations[noteClosedAt] = inc.ClosedAt.UTC().Format(time.RFC3339Nano)
	}
	return object, nil
}

func day(at time.Time) string { return at.UTC().Format(time.DateOnly) }

// fitted packs an incident into what one object takes. The raw output of its
// steps is cut where it must be, the longest first: the evidence has it.
func fitted(inc incident.Incident) ([]byte, error) {
	for {
		content, err := record.Pack(inc.ID, inc)
		if err != nil || len(content) <= most {
			return content, err
		}
		longest := -1
		for i, step := range inc.Steps {
			if len(step.Raw) > leastRaw && (longest < 0 || len(step.Raw) > len(inc.Steps[longest].Raw)) {
				longest = i
			}
		}
		if longest < 0 {
			return nil, fmt.Errorf("%s has grown to %d bytes, and one object of Kubernetes takes %d: close it and begin a new one", inc.ID, len(content), most)
		}
		inc.Steps = slices.Clone(inc.Steps)
		raw := inc.Steps[longest].Raw
		inc.Steps[longest].Raw = strings.ToValidUTF8(raw[:len(raw)/2], "") + cutNote
	}
}

// leastRaw is what is not cut any more.
const leastRaw = 4096

const cutNote = "\n[The rest was cut off: the store takes no more.]"

func (s *Store) unpacked(object *corev1.ConfigMap) (inc incident.Incident, err error) {
	id := idOf(object.Name)
	if err := record.Unpack(id, object.BinaryData[dataKey], &inc); err != nil {
		return incident.Incident{}, s.damage(id, object.Name, err)
	}
	return inc, nil
}

func (s *Store) damage(what, name string, err error) *record.Damage {
	return &record.Damage{What: what, Where: fmt.Sprintf("ConfigMap %s/%s", s.Namespace, name), Err: err}
}

// nameOf is the name of an incident's object: redis-session-bot-inc-7.
func nameOf(id string) string { return namePrefix + strings.ToLower(id) }

func idOf(name string) string { return strings.ToUpper(strings.TrimPrefix(name, namePrefix)) }

// numberOf is the number in INC-7; 0, which no incident has, for anything else.
func numberOf(id string) uint64 {
	digits, ok := strings.CutPrefix(id, "INC-")
	number, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || digits != strconv.FormatUint(number, 10) {
		return 0
	}
	return number
}
