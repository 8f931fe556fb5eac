// Tells what a shopper does, as browser_sdk_test.go has it, by Segment's SDK:
//   node sdk.mjs HOST WRITE_KEY SHOPPER MESSAGE_IDS
// Ends with 1 unless all of it is accepted at once.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, shopper, ids] = process.argv.slice(2);
const p = JSON.parse(shopper);
const day = (n) => new Date(Date.UTC(2026, 0, 31 + n, 12));
const crm = [{ id: p.CRMID, type: "crm_id", collection: "users", encoding: "none" }];

const client = new Analytics({ host, writeKey, maxRetries: 0 });
client.on("error", (e) => {
  console.error(e);
  process.exitCode = 1;
});
let n = 0;
const message = (m) => ({ messageId: ids + n++, ...m });
client.track(message({ anonymousId: p.AnonymousID, event: "Cart viewed", timestamp: day(0), properties: { currency: "EUR" } }));
client.identify(message({ userId: p.UserID, timestamp: day(-40), traits: { email: p.Email, firstName: "Anneliese" } }));
client.alias(message({ previousId: p.AnonymousID, userId: p.UserID, timestamp: day(1) }));
client.group(message({ userId: p.UserID, groupId: "acct-7", traits: { name: "Rossi & Figli" }, timestamp: day(-2) }));
client.page(message({ anonymousId: p.AnonymousID, name: "Home", timestamp: day(3) }));
client.screen(message({ userId: p.UserID, name: "Orders", context: { traits: { phone: p.Phone } } }));
client.track(message({ userId: p.UserID, event: "Order completed", context: { externalIds: crm } }));
await client.closeAndFlush();
