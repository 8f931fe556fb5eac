package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/brianvoe/gofakeit/v7"
)

// maxPeople is how many made people have a phone number of their own.
const maxPeople = 400_000

// demoSeed makes every demo store hold the same people.
const demoSeed = 20260301

// A made person placed this many orders at most.
const demoOrders = 2

// areaCodes of North America; 555 numbers in them belong to nobody.
var areaCodes = strings.Fields(`201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228
	229 231 234 239 240 248 251 252 253 254 256 260 262 267 269 270 272 276 281 301`)

// person is somebody made up. Example domains and 555 numbers keep them apart
// from the sample data and from everybody.
type person struct {
	userID, email, phone, anonymousID, fbp, gaClientID string
	first, last, company, city, country                string
	orders                                             []order
}

type order struct {
	product string
	total   float64
	at      time.Time
}

var demoYear = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

func makePerson(i int) person {
	f := gofakeit.New(demoSeed + uint64(i))
	p := person{
		userID:      fmt.Sprintf("cust-%06d", i+1),
		first:       f.FirstName(),
		last:        f.LastName(),
		company:     f.Company(),
		city:        f.City(),
		country:     f.Country(),
		phone:       fmt.Sprintf("+1 (%s) 555-%04d", areaCodes[i%len(areaCodes)], i/len(areaCodes)%10_000),
		anonymousID: f.UUID(),
	}
	p.email = strings.ToLower(p.first+"."+p.last) + strconv.Itoa(i+1) + "@example.com"
	seen := demoYear.Add(time.Duration(f.IntRange(0, 365*24*60*60)) * time.Second)
	browser := f.IntRange(1_000_000_000, 2_000_000_000)
	p.fbp = fmt.Sprintf("fb.1.%d.%d", seen.UnixMilli(), browser)
	p.gaClientID = fmt.Sprintf("%d.%d", browser-1, seen.Unix())
	for range f.IntRange(0, demoOrders) {
		seen = seen.Add(time.Duration(f.IntRange(1, 30*24)) * time.Hour)
		p.orders = append(p.orders, order{f.ProductName(), float64(f.IntRange(199, 29_999)) / 100, seen})
	}
	if i%40 == 39 { // two people of one household, so that a find has several matches
		p.email = makePerson(i - 1).email
	}
	return p
}

// crmRows writes the made people as the rows of a CSV file.
func crmRows(w io.Writer, people int) error {
	rows := csv.NewWriter(w)
	if err := rows.Write([]string{"user_id", "email", "phone", "first_name", "last_name", "company", "city", "country"}); err != nil {
		return err
	}
	for i := range people {
		p := makePerson(i)
		if err := rows.Write([]string{p.userID, p.email, p.phone, p.first, p.last, p.company, p.city, p.country}); err != nil {
			return err
		}
	}
	rows.Flush()
	return rows.Error()
}

// demoGroups is how many groups the made people are in.
const demoGroups = 8

// groupOf is the group that a made person is in: every second one is in none,
// half of the others in the first, half of those left in the second, and so on.
func groupOf(i int) (group int, ok bool) {
	group = bits.TrailingZeros(uint(i)) - 1
	return min(group, demoGroups-1), group >= 0
}

// groupCall tells that a made person is a member of a group.
func groupCall(p person, group int) map[string]any {
	f := gofakeit.New(demoSeed + uint64(group))
	return map[string]any{
		"type": "group", "messageId": "member-" + p.userID, "userId": p.userID, "groupId": fmt.Sprintf("acct-%d", group+1),
		"traits": map[string]any{"name": f.Company() + " (made up)", "plan": []string{"free", "team", "business"}[group%3]},
	}
}

// suppressedPerson is erased and may not be collected again; the next one has
// the same e-mail address later.
const suppressedPerson = 5

// callsAgain writes what a website that knows nothing of the erasure goes on to
// tell.
func callsAgain(w io.Writer, people int) error {
	if people <= suppressedPerson+1 {
		return nil
	}
	gone, other := makePerson(suppressedPerson), makePerson(suppressedPerson+1)
	lines := json.NewEncoder(w)
	for n := range 3 {
		err := lines.Encode(map[string]any{
			"type": "track", "messageId": fmt.Sprintf("again-%d", n), "userId": gone.userID, "anonymousId": gone.anonymousID, "event": "Product Viewed",
		})
		if err != nil {
			return err
		}
	}
	return lines.Encode(map[string]any{
		"type": "identify", "messageId": "again-other", "userId": other.userID,
		"context": map[string]any{"externalIds": []any{map[string]any{
			"id": gone.email, "type": "email", "collection": "users", "encoding": "none"}}},
	})
}

// websiteCalls writes what a website tells of the made people, as Segment-spec
// calls.
func websiteCalls(w io.Writer, people int) error {
	lines := json.NewEncoder(w)
	for i := range people {
		p := makePerson(i)
		err := lines.Encode(map[string]any{
			"type": "identify", "messageId": "web-" + p.userID, "userId": p.userID, "anonymousId": p.anonymousID,
			"traits": map[string]any{"fbp": p.fbp, "ga_client_id": p.gaClientID, "name": p.first + " " + p.last},
		})
		if group, ok := groupOf(i); ok && err == nil {
			err = lines.Encode(groupCall(p, group))
		}
		if err != nil {
			return err
		}
		for n, o := range p.orders {
			err := lines.Encode(map[string]any{
				"type": "track", "messageId": fmt.Sprintf("order-%s-%d", p.userID, n+1), "userId": p.userID, "event": "Order Completed",
				"timestamp": o.at.Format(time.RFC3339), "properties": map[string]any{"product": o.product, "total": o.total},
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
