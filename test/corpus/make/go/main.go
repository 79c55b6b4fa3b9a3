// What Go's encoding/csv, encoding/json and encoding/xml write: `go run main.go FOLDER`.
package main

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

type order struct {
	XMLName xml.Name   `json:"-" xml:"order"`
	ID      int        `json:"id" xml:"id,attr"`
	Note    string     `json:"note" xml:"note"`
	Amount  float64    `json:"amount" xml:"amount"`
	At      time.Time  `json:"at" xml:"at"`
	Paid    bool       `json:"paid" xml:"paid"`
	Tags    []string   `json:"tags" xml:"-"`
	Closed  *time.Time `json:"closed" xml:"-"`
}

type orders struct {
	XMLName xml.Name `xml:"orders"`
	Orders  []order
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	out := os.Args[1]
	berlin := time.FixedZone("", 3600)
	closed := time.Date(2025, 2, 1, 0, 0, 0, 500000000, time.UTC)
	rows := []order{
		{ID: 1, Note: "said \"hi\"", Amount: 19.99, At: time.Date(2025, 1, 1, 10, 0, 0, 123456000, time.UTC), Paid: true, Tags: []string{"a", "<b>"}},
		{ID: 2, Note: "two\nlines & more", Amount: 1e-9, At: time.Date(2025, 1, 1, 10, 0, 0, 0, berlin), Tags: nil, Closed: &closed},
		{ID: 3, Note: "Zoë, 🚚", Amount: 1234567.891, At: time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC), Tags: []string{}},
	}
	text, err := os.Create(filepath.Join(out, "go_csv", "orders.csv"))
	must(err)
	writer := csv.NewWriter(text)
	must(writer.Write([]string{"id", "note", "amount", "at", "paid"}))
	for _, r := range rows {
		must(writer.Write([]string{fmt.Sprint(r.ID), r.Note, fmt.Sprint(r.Amount), r.At.Format(time.RFC3339Nano), fmt.Sprint(r.Paid)}))
	}
	writer.Flush()
	must(writer.Error())
	must(text.Close())
	lines, err := os.Create(filepath.Join(out, "go_json", "orders.jsonl"))
	must(err)
	encoder := json.NewEncoder(lines)
	for _, r := range rows {
		must(encoder.Encode(r))
	}
	must(lines.Close())
	document, err := xml.MarshalIndent(orders{Orders: rows}, "", "  ")
	must(err)
	must(os.WriteFile(filepath.Join(out, "go_xml", "orders.xml"), append([]byte(xml.Header), document...), 0o644))

	// What Go reads from them, for the maker.
	var back []order
	opened, err := os.Open(filepath.Join(out, "go_json", "orders.jsonl"))
	must(err)
	decoder := json.NewDecoder(opened)
	for decoder.More() {
		var r order
		must(decoder.Decode(&r))
		back = append(back, r)
	}
	must(json.NewEncoder(os.Stdout).Encode(back))
}
