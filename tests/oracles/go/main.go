// Another reader of notes and of the tree's paths: Go's golang.org/x/mod/sumdb, which checksum databases rest on.
//
// One line of JSON in, one word out. A line is
//
//	{"note": text, "key": verifier key, "leaf": hex, "index": number, "path": [hex]}            an entry in a log
//	{"note": text, "key": verifier key, "old": number, "old_root": hex, "path": [hex]}         a log that extends an older one
//	{"note": text, "key": verifier key}                                                       a signed head alone
//	{"proof": text, "key": verifier key}                                                      a file of C2SP tlog-proof
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Note    string   `json:"note"`
	Proof   string   `json:"proof"`
	Key     string   `json:"key"`
	Leaf    string   `json:"leaf"`
	Index   int64    `json:"index"`
	Path    []string `json:"path"`
	Old     int64    `json:"old"`
	OldRoot string   `json:"old_root"`
}

func hash(text string) (tlog.Hash, error) {
	var h tlog.Hash
	bytes, err := hex.DecodeString(text)
	if err == nil && len(bytes) != len(h) {
		err = errors.New("a hash of another length")
	}
	copy(h[:], bytes)
	return h, err
}

// head reads the size and the root of a checkpoint (C2SP tlog-checkpoint) once its signature holds.
func head(q question) (int64, tlog.Hash, error) {
	var none tlog.Hash
	verifier, err := note.NewVerifier(q.Key)
	if err != nil {
		return 0, none, err
	}
	opened, err := note.Open([]byte(q.Note), note.VerifierList(verifier))
	if err != nil {
		return 0, none, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return 0, none, errors.New("not a checkpoint")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, none, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != len(none) {
		return 0, none, errors.New("not a root")
	}
	copy(none[:], root)
	return size, none, nil
}

// proof reads a file of C2SP tlog-proof, whose entry stands in it.
func proof(q question) (question, error) {
	front, note, found := strings.Cut(q.Proof, "\n\n")
	lines := strings.Split(front, "\n")
	if !found || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return q, errors.New("not a proof")
	}
	before, text, isExtra := strings.Cut(lines[1], "extra ")
	entry, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || !isExtra || before != "" {
		return q, errors.New("no entry")
	}
	leaf := tlog.RecordHash(entry)
	before, text, isIndex := strings.Cut(lines[2], "index ")
	if q.Index, err = strconv.ParseInt(text, 10, 64); err != nil || !isIndex || before != "" {
		return q, errors.New("no index")
	}
	for _, line := range lines[3:] {
		bytes, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil {
			return q, err
		}
		q.Path = append(q.Path, hex.EncodeToString(bytes))
	}
	q.Leaf, q.Note = hex.EncodeToString(leaf[:]), note
	return q, nil
}

func holds(line []byte) error {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return err
	}
	if q.Proof != "" {
		var err error
		if q, err = proof(q); err != nil {
			return err
		}
	}
	size, root, err := head(q)
	if err != nil {
		return err
	}
	path := make([]tlog.Hash, len(q.Path))
	for i, text := range q.Path {
		if path[i], err = hash(text); err != nil {
			return err
		}
	}
	switch {
	case q.Leaf != "":
		leaf, err := hash(q.Leaf)
		if err != nil {
			return err
		}
		return tlog.CheckRecord(path, size, root, q.Index, leaf)
	case q.OldRoot != "":
		old, err := hash(q.OldRoot)
		if err != nil {
			return err
		}
		return tlog.CheckTree(path, size, root, q.Old, old)
	}
	return nil
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if err := holds(in.Bytes()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			fmt.Println("refused")
		} else {
			fmt.Println("holds")
		}
	}
}
