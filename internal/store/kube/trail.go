package kube

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/store/record"
)

// The trail is a row of segments. Only the last one is appended to; it is marked
// as full by the write that fills it, and then the next one is created, which only
// one replica can. So there is always one place where the next entry can go.
const (
	trailPrefix    = namePrefix + "trail-"
	segmentEntries = 200

	noteHead   = prefix + "head"   // of the last entry
	noteFull   = prefix + "full"   // nothing is appended any more
	noteNewest = prefix + "newest" // the highest number of an incident so far
)

// trail is what is known of the end of the trail.
type trail struct {
	mu           sync.Mutex // one append at a time
	tail, before *segment
}

// segment is one object of the trail.
type segment struct {
	number  int
	entries []chain.Entry
	head    chain.Head
	newest  uint64
	full    bool

	resourceVersion string
	marks           []string
}

func segmentName(number int) string { return fmt.Sprintf("%s%06d", trailPrefix, number) }

// chain adds lines to the end of the trail that are not there yet.
func (s *Store) chain(ctx context.Context, lines []chain.Entry) error {
	s.trail.mu.Lock()
	defer s.trail.mu.Unlock()
	mark := s.mark()
	limit := newPatience()
	for {
		if s.trail.tail == nil {
			if err := s.loadTail(ctx); err != nil {
				return err
			}
		}
		tail, before := s.trail.tail, s.trail.before
		if tail.wrote(mark) || before.wrote(mark) { // its answer was lost
			s.tellChained(append(before.those(lines), tail.those(lines)...))
			return nil
		}
		todo := without(lines, before, tail)
		if len(todo) == 0 {
			return nil
		}
		next := tail.with(todo, mark)
		err := s.writeSegment(ctx, next, tail)
		switch {
		case err == nil:
			s.tellChained(next.those(todo))
			return nil
		case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err):
			// Another replica was faster.
		case !transient(ctx, err) || !limit.wait(ctx, err):
			return err
		}
		s.trail.tail = nil
	}
}

// writeSegment stores a segment that follows from the tail: in its place, or as
// the next one where that is full.
func (s *Store) writeSegment(ctx context.Context, next, tail *segment) error {
	object, err := s.segmentObject(next)
	if err != nil {
		return err
	}
	var written *corev1.ConfigMap
	err = s.once(ctx, func(ctx context.Context) (err error) {
		if next.number > tail.number {
			written, err = s.maps().Create(ctx, object, metav1.CreateOptions{})
		} else {
			written, err = s.maps().Update(ctx, object, metav1.UpdateOptions{})
		}
		return err
	})
	if err != nil {
		return err
	}
	next.resourceVersion = written.ResourceVersion
	if next.number > tail.number {
		s.trail.before = tail.real()
	}
	s.trail.tail = next
	return nil
}

func (s *Store) tellChained(entries []chain.Entry) {
	for _, entry := range entries {
		if s.Chained != nil {
			s.Chained(entry)
		}
	}
}

// with is the segment with more entries, or the one behind it where it is full.
func (g *segment) with(lines []chain.Entry, mark string) *segment {
	next := &segment{number: g.number, entries: slices.Clip(g.entries), head: g.head, newest: g.newest,
		resourceVersion: g.resourceVersion, marks: append(slices.Clip(g.marks), mark)}
	if g.full {
		next = &segment{number: g.number + 1, head: g.head, newest: g.newest, marks: []string{mark}}
	}
	for _, line := range lines {
		entry := next.head.Next(line)
		next.entries, next.head = append(next.entries, entry), entry.Head()
		next.newest = max(next.newest, numberOf(entry.Incident))
	}
	next.full = len(next.entries) >= segmentEntries
	return next
}

func (g *segment) wrote(mark string) bool { return g != nil && slices.Contains(g.marks, mark) }

// those gives the segment's entries for these lines.
func (g *segment) those(lines []chain.Entry) (found []chain.Entry) {
	if g == nil {
		return nil
	}
	for _, entry := range g.entries {
		if slices.ContainsFunc(lines, func(line chain.Entry) bool { return sameLine(line, entry) }) {
			found = append(found, entry)
		}
	}
	return found
}

func sameLine(a, b chain.Entry) bool {
	return a.Incident == b.Incident && a.Line == b.Line && a.Gone == b.Gone
}

// without gives the lines that stand in none of the segments.
func without(lines []chain.Entry, segments ...*segment) []chain.Entry {
	return slices.DeleteFunc(slices.Clone(lines), func(line chain.Entry) bool {
		return slices.ContainsFunc(segments, func(g *segment) bool {
			return g != nil && slices.ContainsFunc(g.entries, func(entry chain.Entry) bool { return sameLine(line, entry) })
		})
	})
}

// loadTail finds the last segment, behind the one that was the last but one.
func (s *Store) loadTail(ctx context.Context) error {
	before, tail, number := (*segment)(nil), &segment{full: true}, 1 // the first one follows from nothing
	if s.trail.before != nil {
		tail, number = s.trail.before, s.trail.before.number+1
	} else {
		numbers, err := s.segments(ctx)
		if err != nil {
			return err
		}
		if len(numbers) > 1 {
			number = numbers[len(numbers)-2]
		}
	}
	for ; ; number++ {
		found, err := s.segment(ctx, number)
		if apierrors.IsNotFound(err) {
			break
		}
		if err != nil {
			return err
		}
		if before, tail = tail, found; !tail.full {
			break
		}
	}
	s.trail.tail, s.trail.before = tail, before.real()
	return nil
}

// real is the segment; nil for what stands before the first one.
func (g *segment) real() *segment {
	if g == nil || g.number == 0 {
		return nil
	}
	return g
}

// segments lists the numbers of the segments that there are.
func (s *Store) segments(ctx context.Context) (numbers []int, err error) {
	err = s.each(ctx, labelKind+"="+kindTrail, false, func(object corev1.ConfigMap) error {
		if number, err := strconv.Atoi(strings.TrimPrefix(object.Name, trailPrefix)); err == nil && number > 0 {
			numbers = append(numbers, number)
		}
		return nil
	})
	slices.Sort(numbers)
	return numbers, err
}

// segment reads one. Of one whose content is damaged the head is known all the
// same; it counts as full.
func (s *Store) segment(ctx context.Context, number int) (*segment, error) {
	object, err := s.named(ctx, segmentName(number))
	if err != nil {
		return nil, err
	}
	newest, _ := strconv.ParseUint(object.Annotations[noteNewest], 10, 64)
	g := &segment{number: number, newest: newest, full: object.Annotations[noteFull] == "true",
		resourceVersion: object.ResourceVersion, marks: strings.Fields(object.Annotations[noteMarks])}
	if err := record.Unpack(object.Name, object.BinaryData[dataKey], &g.entries); err != nil {
		g.full = true
		if g.head, err = chain.ParseHead(object.Annotations[noteHead]); err != nil {
			return nil, s.damage("the audit trail", object.Name, err)
		}
		return g, nil
	}
	if len(g.entries) > 0 {
		g.head = g.entries[len(g.entries)-1].Head()
	}
	return g, nil
}

func (s *Store) segmentObject(g *segment) (*corev1.ConfigMap, error) {
	name := segmentName(g.number)
	content, err := record.Pack(name, g.entries)
	if err != nil {
		return nil, err
	}
	object := s.object(name, kindTrail, content)
	object.ResourceVersion = g.resourceVersion
	notes := map[string]string{noteHead: g.head.String(), noteNewest: strconv.FormatUint(g.newest, 10),
		noteMarks: strings.Join(g.marks[max(0, len(g.marks)-keptMarks):], " ")}
	if g.full {
		notes[noteFull] = "true"
	}
	maps.Copy(object.Annotations, notes)
	return object, nil
}

// lastNumber is the highest number of an incident that the trail tells of.
func (s *Store) lastNumber(ctx context.Context) (uint64, error) {
	s.trail.mu.Lock()
	defer s.trail.mu.Unlock()
	if err := s.loadTail(ctx); err != nil {
		return 0, err
	}
	return s.trail.tail.newest, nil
}

// Trail gives the audit trail, segment by segment.
func (s *Store) Trail(ctx context.Context) iter.Seq2[chain.Entry, error] {
	return func(yield func(chain.Entry, error) bool) {
		numbers, err := s.segments(ctx)
		if err != nil {
			yield(chain.Entry{}, err)
			return
		}
		last := chain.Head{}
		for _, number := range numbers {
			g, err := s.segment(ctx, number)
			if err == nil && len(g.entries) == 0 {
				err = s.damage(fmt.Sprintf("the audit trail from entry %d to %d", last.N+1, g.head.N), segmentName(number), record.ErrDamaged)
			}
			if err != nil {
				if !yield(chain.Entry{N: last.N + 1}, err) {
					return
				}
				if g == nil {
					continue
				}
			}
			for _, entry := range g.entries {
				if !yield(entry, nil) {
					return
				}
			}
			last = g.head
		}
	}
}

// Head gives the newest entry's.
func (s *Store) Head(ctx context.Context) (chain.Head, error) {
	s.trail.mu.Lock()
	defer s.trail.mu.Unlock()
	if err := s.loadTail(ctx); err != nil {
		return chain.Head{}, fmt.Errorf("read the audit trail: %w", err)
	}
	return s.trail.tail.head, nil
}
