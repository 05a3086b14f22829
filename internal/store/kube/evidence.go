package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/store/record"
)

// The evidence of an incident is one record, cut into as many objects as it takes.
// The first one says which the others are: they are written before it, and those
// that it named before are deleted after it, so that whoever reads gets the parts
// of one write.
const (
	noteParts = prefix + "parts" // the write that made the other parts, and how many
	labelPart = prefix + "part"  // the write that made this one

	mostParts = 8 // with the first one
)

func evidenceName(id string) string { return nameOf(id) + "-evidence" }

func partName(id, of string, n int) string { return fmt.Sprintf("%s-%s-%d", evidenceName(id), of, n) }

// pieces names the parts of one write beside the first.
type pieces struct {
	of    string // the write
	count int
}

func piecesOf(object *corev1.ConfigMap) (p pieces) {
	of, count, _ := strings.Cut(object.Annotations[noteParts], " ")
	p.of = of
	p.count, _ = strconv.Atoi(count) // 0 where there are none
	return p
}

// AddBundle adds what was read for an incident to what is kept.
func (s *Store) AddBundle(ctx context.Context, id string, part evidence.Bundle) error {
	owner, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	for {
		first, whole, err := s.evidence(ctx, id)
		var damage *record.Damage
		if err != nil && !errors.As(err, &damage) {
			return fmt.Errorf("read the evidence of %s: %w", id, err)
		}
		whole.Add(part) // in place of what is damaged: it can be read from the cluster again
		stored, err := s.replaceEvidence(ctx, owner, first, whole)
		if err != nil {
			return fmt.Errorf("store the evidence of %s: %w", id, err)
		}
		if stored {
			return nil
		}
	}
}

// replaceEvidence writes the whole evidence in place of what the first object
// names; nil for nothing. It reports false where somebody was faster.
func (s *Store) replaceEvidence(ctx context.Context, owner, first *corev1.ConfigMap, whole evidence.Bundle) (bool, error) {
	id := idOf(owner.Name)
	content, err := fittedBundle(id, whole)
	if err != nil {
		return false, err
	}
	chunks := slices.Collect(slices.Chunk(content, most))
	mark := s.mark()
	fresh := pieces{of: mark, count: len(chunks) - 1}
	for n, chunk := range chunks[1:] {
		part := s.evidenceObject(owner, partName(id, mark, n+1), chunk)
		part.Labels[labelPart], part.Annotations[noteMarks] = mark, mark
		if _, err := s.create(ctx, part, mark); err != nil {
			return false, err
		}
	}
	object := s.evidenceObject(owner, evidenceName(id), chunks[0])
	object.Annotations[noteParts] = fmt.Sprintf("%s %d", fresh.of, fresh.count)
	stored, err := s.writeFirst(ctx, object, first, mark)
	switch {
	case err != nil:
		return false, err // it may arrive yet: its parts stay, and Mend sees to them
	case !stored:
		return false, s.dropParts(ctx, id, fresh)
	case first == nil:
		return true, nil
	}
	return true, s.dropParts(ctx, id, piecesOf(first))
}

// writeFirst writes the first object of evidence until it is known what came of
// it. It reports false where somebody has written another one.
func (s *Store) writeFirst(ctx context.Context, object, before *corev1.ConfigMap, mark string) (bool, error) {
	if before == nil {
		object.Annotations[noteMarks] = mark
		_, err := s.create(ctx, object, mark)
		if apierrors.IsAlreadyExists(err) {
			return false, nil
		}
		return err == nil, err
	}
	marks := append(headOf(before).marks, mark)
	object.Annotations[noteMarks] = strings.Join(marks[max(0, len(marks)-keptMarks):], " ")
	object.ResourceVersion = before.ResourceVersion
	err := s.again(ctx, func(ctx context.Context) error {
		_, err := s.maps().Update(ctx, object, metav1.UpdateOptions{})
		return err
	})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		there, failure := s.named(ctx, object.Name)
		if apierrors.IsNotFound(failure) {
			return false, nil
		}
		return failure == nil && headOf(there).wrote(mark), failure
	}
	return err == nil, err
}

// evidenceObject is one part, which goes when its incident goes.
func (s *Store) evidenceObject(owner *corev1.ConfigMap, name string, content []byte) *corev1.ConfigMap {
	object := s.object(name, kindEvidence, content)
	object.Labels[labelIncident] = strings.ToLower(idOf(owner.Name))
	object.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
	return object
}

// Bundle returns what was read for an incident, the empty one for nothing.
func (s *Store) Bundle(ctx context.Context, id string) (evidence.Bundle, error) {
	if numberOf(id) == 0 {
		return evidence.Bundle{}, ctx.Err()
	}
	_, bundle, err := s.evidence(ctx, id)
	return bundle, err
}

// evidence reads the parts of one write. Where one of them is gone, they were
// replaced meanwhile.
func (s *Store) evidence(ctx context.Context, id string) (first *corev1.ConfigMap, bundle evidence.Bundle, err error) {
	for {
		first, err := s.named(ctx, evidenceName(id))
		if apierrors.IsNotFound(err) {
			return nil, evidence.Bundle{}, nil
		}
		if err != nil {
			return nil, evidence.Bundle{}, err
		}
		content, err := s.content(ctx, id, first)
		if apierrors.IsNotFound(err) {
			again, failure := s.named(ctx, evidenceName(id))
			if failure == nil && again.ResourceVersion == first.ResourceVersion {
				return first, evidence.Bundle{}, s.damage("the evidence of "+id, first.Name, err)
			}
			continue
		}
		if err != nil {
			return nil, evidence.Bundle{}, err
		}
		if err := record.Unpack("evidence of "+id, content, &bundle); err != nil {
			return first, evidence.Bundle{}, s.damage("the evidence of "+id, first.Name, err)
		}
		return first, bundle, nil
	}
}

func (s *Store) content(ctx context.Context, id string, first *corev1.ConfigMap) ([]byte, error) {
	content := first.BinaryData[dataKey]
	p := piecesOf(first)
	for n := range p.count {
		part, err := s.named(ctx, partName(id, p.of, n+1))
		if err != nil {
			return nil, err
		}
		content = append(content, part.BinaryData[dataKey]...)
	}
	return content, nil
}

// fittedBundle packs evidence into as many objects as it may take. Where it is
// more, the longest logs lose their oldest lines, and say so.
func fittedBundle(id string, bundle evidence.Bundle) ([]byte, error) {
	bundle = bundle.Clone()
	for {
		content, err := record.Pack("evidence of "+id, bundle)
		if err != nil || len(content) <= mostParts*most {
			return content, err
		}
		longest := -1
		for i, log := range bundle.Logs {
			if len(log.Text) > leastRaw && (longest < 0 || len(log.Text) > len(bundle.Logs[longest].Text)) {
				longest = i
			}
		}
		if longest < 0 {
			return nil, fmt.Errorf("it is %d bytes, and the store takes %d", len(content), mostParts*most)
		}
		log := &bundle.Logs[longest]
		_, newer, _ := strings.Cut(log.Text[len(log.Text)/2:], "\n")
		log.Text, log.Truncated = newer, true
	}
}

func (s *Store) dropParts(ctx context.Context, id string, p pieces) error {
	for n := range p.count {
		if err := s.delete(ctx, partName(id, p.of, n+1)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) delete(ctx context.Context, name string) error {
	err := s.again(ctx, func(ctx context.Context) error { return s.maps().Delete(ctx, name, metav1.DeleteOptions{}) })
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (s *Store) dropEvidence(ctx context.Context, id string) error {
	parts, err := s.list(ctx, labelIncident+"="+strings.ToLower(id), false)
	if err != nil {
		return fmt.Errorf("drop the evidence of %s: %w", id, err)
	}
	for _, part := range parts {
		if err := s.delete(ctx, part.Name); err != nil {
			return fmt.Errorf("drop the evidence of %s: %w", id, err)
		}
	}
	return nil
}

// orphaned is when a part that no first object names is nobody's: the write that
// made it cannot arrive any more.
const orphaned = time.Hour

// dropOrphans deletes parts that a replica has left which died before it had
// written the first one, or before it had deleted the old ones.
func (s *Store) dropOrphans(ctx context.Context, now time.Time) error {
	all, err := s.list(ctx, labelKind+"="+kindEvidence, false)
	if err != nil {
		return fmt.Errorf("look for evidence that is nobody's: %w", err)
	}
	named := map[string]bool{}
	for _, object := range all {
		named[piecesOf(&object).of] = true
	}
	for _, object := range all {
		part := object.Labels[labelPart]
		if part == "" || named[part] || now.Sub(object.CreationTimestamp.Time) < orphaned {
			continue
		}
		if err := s.delete(ctx, object.Name); err != nil {
			return fmt.Errorf("delete evidence that is nobody's: %w", err)
		}
	}
	return nil
}
