package drill

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Keep adds a card to those of a folder and writes the table anew: drills.jsonl
// has a card a line, drills.md the table. It returns the table's path.
func Keep(folder string, card Card) (string, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("keep the drill: %w", err)
	}
	path := filepath.Join(folder, "drills.jsonl")
	cards, err := read(path)
	if err != nil {
		return "", err
	}
	line, err := json.Marshal(card)
	if err != nil {
		return "", fmt.Errorf("keep the drill: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("keep the drill: %w", err)
	}
	_, err = file.Write(append(line, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return "", fmt.Errorf("keep the drill: %w", err)
	}
	table := filepath.Join(folder, "drills.md")
	if err := os.WriteFile(table, []byte(Table(append(cards, card))), 0o644); err != nil {
		return "", fmt.Errorf("keep the drill: %w", err)
	}
	return table, nil
}

// read gives the cards of a file, oldest first; none where there is none.
func read(path string) (cards []Card, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the drills: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var card Card
		if err := json.Unmarshal(lines.Bytes(), &card); err != nil {
			return nil, fmt.Errorf("%s, line %d, is no drill: mend or remove it: %w", path, n, err)
		}
		cards = append(cards, card)
	}
	return cards, lines.Err()
}
