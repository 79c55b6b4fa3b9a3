// Asks Athena as programs in Go do, by database/sql and athenadriver. Its SDK (version 1) knows no
// AWS_ENDPOINT_URL, so that the program leads its requests there itself, signed as they are.
package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"

	athena "github.com/uber/athenadriver/go"
)

type led struct{ to *url.URL }

func (l led) RoundTrip(request *http.Request) (*http.Response, error) {
	request.Host = request.URL.Host
	request.URL.Scheme, request.URL.Host = l.to.Scheme, l.to.Host
	return http.DefaultTransport.RoundTrip(request)
}

func tell(what string, told any, err error) {
	if err != nil {
		fmt.Printf("%s: failed: %.60s\n", what, err.Error())
		return
	}
	fmt.Printf("%s: %v\n", what, told)
}

func texts(db *sql.DB, query string, args ...any) ([][]any, error) {
	rows, err := db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var found [][]any
	for rows.Next() {
		values := make([]any, len(columns))
		places := make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		found = append(found, values)
	}
	return found, rows.Err()
}

func main() {
	to, _ := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	http.DefaultClient.Transport = led{to}
	config, err := athena.NewDefaultConfig("s3://go-results/out/", os.Getenv("AWS_DEFAULT_REGION"),
		os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"))
	if err != nil {
		panic(err)
	}
	config.SetDB("silver")
	db, err := sql.Open(athena.DriverName, config.Stringify())
	if err != nil {
		panic(err)
	}
	defer db.Close()
	tell("ping", "it is there", db.Ping())
	rows, err := texts(db, "SELECT eventid, name, category FROM events ORDER BY 1 LIMIT 2")
	tell("first", rows, err)
	rows, err = texts(db, "SELECT count(*) FROM sales WHERE eventid = ? AND buyer <> ?", 3, "x")
	tell("bound", rows, err)
	rows, err = texts(db, "SELECT salesid FROM sales ORDER BY 1")
	tell("pages", len(rows), err)
	rows, err = texts(db, "SELECT CAST(7.5 AS double), DATE '2026-01-31', TIMESTAMP '2026-01-31 10:00:00.123', true, CAST(1.50 AS decimal(5,2))")
	tell("types", rows, err)
	_, err = texts(db, "SELECT nothing FROM sales")
	tell("failed", nil, err)
	_, err = db.Exec("CREATE SCHEMA scratch")
	tell("schema", "made", err)
	_, err = db.Exec("CREATE TABLE scratch.go (id int, word string) TBLPROPERTIES ('table_type' = 'ICEBERG')")
	tell("table", "made", err)
	result, err := db.Exec("INSERT INTO scratch.go VALUES (1, 'a'), (2, NULL)")
	if err == nil {
		changed, _ := result.RowsAffected()
		tell("inserted", changed, nil)
	} else {
		tell("inserted", nil, err)
	}
	rows, err = texts(db, "SELECT * FROM scratch.go ORDER BY id")
	tell("written", rows, err)
	rows, err = texts(db, "SHOW TABLES IN gold")
	tell("shown", rows, err)
}
