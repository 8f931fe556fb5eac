package main

import (
	"fmt"
	"slices"
	"strings"
)

// What the tests of files and of log lines send by the door for SDKs.

// calling sends to an ingest route with the script's key.
func (s *scene) calling(path, body string, header ...string) (answer, error) {
	return s.send("POST", path, strings.NewReader(body), append([]string{"Authorization", "Basic " + s.key}, header...)...)
}

// postCalls sends people's calls as SDKs do, with events that are refused.
func (s *scene) postCalls(people []somebody) {
	s.t.Helper()
	const atOnce = 20
	shared := fmt.Sprintf(`"context":{"traits":{"hobby":%q},"ip":%q}`, s.plant("hobby "), s.plant("ip "))
	for some := range slices.Chunk(people, atOnce) {
		var events []string
		for _, p := range some {
			events = append(events, strings.Split(strings.TrimSpace(p.calls()), "\n")...)
		}
		batch := func(more string) string { return `{"batch":[` + strings.Join(events, ",") + more + `],` + shared + `}` }
		want(s.t, 200, "a batch")(s.calling("/v1/batch", batch("")))
		want(s.t, 200, "the batch again")(s.send("POST", "/sdk/batch", packed(strings.Replace(batch(""), "{", `{"writeKey":"`+s.key+`",`, 1))))
		want(s.t, 400, "a batch with an event that is refused")(s.calling("/v1/batch", batch(`,{"type":"identify","traits":{"email":"`+s.plant("refused@")+`"}}`)))
		want(s.t, 400, "a batch that is broken")(s.calling("/v1/batch", batch(`,{"type":"page","userId":"`+s.plant("broken ")+`"`)))
	}
	p := people[0]
	want(s.t, 200, "one call")(s.calling("/v1/alias", fmt.Sprintf(`{"userId":%q,"previousId":%q}`, p.userID, s.plant("alias "))))
	want(s.t, 200, "one call")(s.calling("/v1/group", fmt.Sprintf(`{"userId":%q,"groupId":%q,"traits":{"name":%q}}`, p.userID, s.plant("group "), s.plant("account "))))
	want(s.t, 400, "a call too long")(s.calling("/v1/page", fmt.Sprintf(`{"userId":%q}`, strings.Repeat(s.plant("long "), 5000))))
	want(s.t, 401, "a wrong key")(s.send("POST", "/v1/page", strings.NewReader(fmt.Sprintf(`{"userId":%q,"writeKey":%q}`, s.plant("nobody "), s.plant("efk_")))))
}

// calls sends what SDKs do, well and badly.
func (m *markers) calls(p somebody) {
	send := func(path, body string, header ...string) { m.note(m.calling(path, body, header...)) }
	member := func(name, value string) string { return fmt.Sprintf("%q:%s", name, value) }
	text := func() string { return fmt.Sprintf("%q", m.mark()) }
	call := func(members ...string) string {
		return "{" + strings.Join(append(members, member(m.mark(), text())), ",") + "}"
	}
	user := member("userId", fmt.Sprintf("%q", p.userID))
	good := []string{
		call(user, member("traits", call()), member("messageId", text())),
		call(member("anonymousId", text()), member("context", call(member("traits", call(member("email", text())))))),
	}
	bad := []string{
		call(member("traits", call())), call(member("userId", "["+text()+"]")), call(user, member("timestamp", text())), call(user, member("type", text())),
		call(user, member("traits", text())), call(user, member("context", call(member("externalIds", "["+call(member("id", text()), member("type", text()))+"]")))),
		call(user, user), call(member("UserId", text())), call(user) + text(), "{" + text(), "\x1f\x8b" + m.mark(), `{"userId":"\ud800` + m.mark() + `"}`,
	}
	for _, one := range append(good, bad...) {
		send("/v1/identify", one, "User-Agent", m.mark())
		send("/sdk/track?"+m.mark(), strings.Replace(one, "{", `{"event":`+text()+",", 1))
		send("/v1/batch", `{"batch":[`+strings.Replace(one, "{", `{"type":"page",`, 1)+`],`+member(m.mark(), text())+`}`)
	}
	send("/v1/group", call(user, member("groupId", text()), member("traits", call())))
	send("/v1/alias", call(user, member("previousId", text())))
	send("/v1/batch", call(member("batch", text())))
	send("/v1/batch", call(member("batch", "[]"), member("context", text())))
	send("/v1/"+m.mark(), good[0])
	m.note(m.send("POST", "/v1/page", strings.NewReader(call(user, member("writeKey", text())))))
	m.note(m.send("POST", "/v1/page", strings.NewReader(good[1]), "Authorization", "Basic "+m.mark()))
	m.note(m.send("POST", "/v1/batch", packed(strings.Repeat(m.mark(), 100_000)), "Authorization", "Basic "+m.key))
}
