"""What the demo's customers ask, what its documents say, what goes wrong, what people think of it. Data only."""

from dataclasses import dataclass

SUPPORT_PROMPT = (
    "You are the support assistant of Northwind Outdoor, an online shop for hiking and climbing gear.\n"
    "Answer from the context below. If it does not say, say so and offer to hand over to a person.\n"
    "Never promise a delivery date that the order system does not give. Answer in the customer's language."
)


@dataclass(frozen=True)
class Turn:
    """A question and its answer. tool: what the agent calls before it answers, with the tool's arguments."""

    question: str
    answer: str
    tool: str = ""
    arguments: str = ""
    result: str = ""


@dataclass(frozen=True)
class Talk:
    """A conversation. source: the knowledge base its answers come from."""

    source: str
    turns: tuple[Turn, ...]


def order(number: int, status: str, carrier: str = "DHL") -> tuple[str, str, str]:
    """A call of order_lookup: name, arguments, result."""
    return (
        "order_lookup",
        f'{{"order_number":"NW-{number}"}}',
        f'{{"order_number":"NW-{number}","status":"{status}","carrier":"{carrier}","items":2,"total":"184.90 EUR"}}',
    )


TALKS = (
    Talk(
        "help-center",
        (
            Turn(
                "Hi, where is my order NW-48213? It was supposed to arrive yesterday.",
                "I looked it up: your parcel left our warehouse two days ago and DHL has it out for delivery. I cannot"
                " promise the hour, but the carrier's page shows the van as it moves.",
                *order(48213, "out_for_delivery"),
            ),
            Turn(
                "Can I still change the address?",
                "Not with us, the parcel is with the carrier already. In DHL's app you can redirect it to a parcel"
                " shop or a neighbour until the driver is 30 minutes away.",
            ),
            Turn("Great, thank you! 🙏", "You're welcome! Have fun with the new tent. ⛺️"),
        ),
    ),
    Talk(
        "help-center",
        (
            Turn(
                "How long do I have to send back shoes that are too small?",
                "**30 days** from delivery, unworn outdoors and in their box.\n\n1. Open *My orders*\n2. Choose *Return"
                " an item*\n3. Print the label or show the QR code at the parcel shop\n\nThe refund takes 3 to 5"
                " working days after the shoes are back.",
            ),
            Turn(
                "I wore them once on a walk, does that count?",
                "A short indoor try-on is fine; once they have been outside we take them back only for a fault. I can"
                " hand you over to a colleague who can look at photos, if you like.",
            ),
        ),
    ),
    Talk(
        "product-manuals",
        (
            Turn(
                "Is the Ridge 55 backpack's rain cover included or do I need to buy one?",
                "It is included: you find it in the zipped pocket at the bottom. A spare one is article 20-118.",
            ),
            Turn(
                "And how do I wash the pack?",
                "By hand, with lukewarm water and a mild soap, frame out. No machine, no tumble dryer: both damage the"
                " coating.",
            ),
            Turn(
                "What is the best way to waterproof it again?",
                "Use a spray without PFAS while the fabric is still damp, let it dry for 24 hours, and repeat once a"
                " season. Tests published this year rate wax-based sprays best on ripstop nylon.",
                "web_search",
                '{"query":"waterproofing spray without PFAS ripstop nylon test","count":5}',
                '{"results":[{"title":"PFAS-free sprays in the field test","url":"https://example.org/sprays"},'
                '{"title":"How to reproof a rucksack","url":"https://example.com/reproof"}]}',
            ),
        ),
    ),
    Talk(
        "help-center",
        (
            Turn(
                "我的订单 NW-50977 什么时候能到?可以寄到上海吗?",
                "您好!您的订单已于昨天发货,由 DHL 承运,目前正在清关。可以寄到上海,通常需要 7 到 10 个工作日。",
                *order(50977, "in_customs"),
            ),
            Turn("好的,谢谢。运费是多少?", "寄往中国大陆的运费为 24.90 欧元,订单满 300 欧元免运费。🙂"),
        ),
    ),
    Talk(
        "help-center",
        (
            Turn(
                "注文 NW-51002 をキャンセルできますか?",
                "はい、まだ発送前ですのでキャンセルできます。返金は3〜5営業日で完了します。キャンセルを進めてもよろしいですか?",
                *order(51002, "packed", "Yamato"),
            ),
            Turn("お願いします。", "キャンセルを承りました。確認メールをお送りしましたのでご確認ください。"),
        ),
    ),
    Talk(
        "size-guides",
        (
            Turn(
                "Which size of the Alpine jacket for 182 cm and 78 kg?",
                "**L** fits best by our size guide (chest 100 to 104 cm). With a thick mid-layer below, take XL.",
            ),
            Turn(
                "My chest is 106",
                "Then XL: L ends at 104 cm and the jacket is cut close. You can send it back free of charge.",
            ),
            Turn("ok ordering now", "Good choice. If you log in first, the 10 % of your club card is applied."),
        ),
    ),
    Talk(
        "help-center",
        (
            Turn(
                "I was charged twice for order NW-49555!!",
                "I see one payment and one authorisation for the same amount. The second is only reserved by your bank"
                " and expires by itself within 7 days; nothing was collected twice.",
                *order(49555, "paid"),
            ),
            Turn(
                "My bank says it IS collected. I want to talk to a human.",
                "Understood. I hand this over to our payments team with everything we have said so far. They answer"
                " within two hours on working days.",
            ),
        ),
    ),
    Talk(
        "product-manuals",
        (
            Turn(
                "Der Kocher zündet nicht mehr. Was kann ich tun?",
                "Bitte prüfen Sie zuerst die Düse: Meist ist sie verrußt. Mit der Nadel aus dem Wartungsset (liegt bei)"
                " lässt sie sich reinigen. Hilft das nicht, tauschen wir den Piezozünder auf Garantie.",
            ),
            Turn(
                "Wo finde ich die Seriennummer?",
                "Auf der Unterseite des Brenners, achtstellig, beginnend mit NW. Nennen Sie sie bitte bei der Anfrage.",
            ),
        ),
    ),
    Talk(
        "size-guides",
        (
            Turn(
                "هل هذا الحذاء مناسب للمشي في الثلج؟",
                "نعم، الحذاء مقاوم للماء ومناسب حتى عشر درجات تحت الصفر. للثلج العميق ننصح بإضافة جيتر.",
            ),
        ),
    ),
    Talk(
        "help-center",
        (
            Turn(
                "do you price match?",
                "Yes, for the same article in the same size and colour at a shop that ships to your country. Send us"
                " the link before you order.",
                "web_search",
                '{"query":"Northwind Ridge 55 price","count":5}',
                '{"results":[{"title":"Ridge 55, 149.00 EUR","url":"https://example.net/ridge-55"}]}',
            ),
            Turn("https://example.net/ridge-55 has it for 149", "That is the same pack: use code MATCH149 today."),
            Turn("works, thanks 🎉", "Wonderful. Enjoy the trail!"),
            Turn("one more: gift wrapping?", "At checkout, under *Extras*, for 3.50 EUR. You can add a note, too."),
        ),
    ),
)
CHUNKS = (
    "Returns are accepted within 30 days of delivery. Goods must be unworn and in their original packaging.",
    "Shipping within the EU takes 2 to 4 working days. Express orders placed before 14:00 leave the same day.",
    "Refunds go back to the original means of payment within 3 to 5 working days after the goods were inspected.",
    "The address of a parcel can be changed in the carrier's app once it has left the warehouse.",
    "Chest 96-100: M. Chest 100-104: L. Chest 104-110: XL. Measure over a thin layer, arms down.",
    "Care: hand wash, lukewarm, mild soap. Do not tumble dry. Re-proof once a season.",
    "Outside the EU, customs may keep a parcel for several days. Duties are paid by the receiver.",
    "Club members get 10 % on everything that is not on sale. The card is applied after logging in.",
)
RATE_LIMIT = (
    "Error code: 429 - {'error': {'message': 'Rate limit reached for gpt-4o in organization org-northwind on tokens per"
    " min (TPM): Limit 30000, Used 28941, Requested 2210. Please try again in 2.302s.', 'type': 'tokens', 'code':"
    " 'rate_limit_exceeded'}}"
)
TIMEOUT = "Request timed out after 20000 ms: GET https://search.example.com/v1/web"
OVERLOADED = "Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}"
UNREADABLE = "'utf-8' codec can't decode byte 0xfc in position 4312: invalid start byte"
SUPPLIERS = (
    "Bergwerk Textil GmbH",
    "Société Alpine du Léman",
    "東京アウトドア株式会社",
    "Nordic Ropes AS",
    "Van Dijk Logistics B.V.",
    "Cumbria Wool Mills Ltd",
)
TERMS = (
    "The supplier delivers free of charge to the buyer's warehouse. Risk passes on handover. Invoices are due within 30"
    " days; a discount of two per cent is granted for payment within ten. Claims for visible faults must be raised"
    " within eight days of receipt, for hidden faults without delay after they are found. Title is retained until"
    " payment in full. Prices exclude value added tax and are fixed for twelve months from the date of this document."
)
THUMBS = (
    (1, "Quick and correct, thanks!"),
    (1, None),
    (1, "Found my parcel in ten seconds 🚚"),
    (-1, "It told me to print a label but I have no printer."),
    (1, None),
    (-1, "Did not understand that I was charged twice. I wanted a human."),
    (1, "とても助かりました。"),
    (-1, None),
    (1, "Better than the old bot."),
    (-1, "The answer was about the wrong jacket."),
)
QUALITIES = (
    ("quality", 0.84, "auto"),
    ("relevance", 0.78, "auto"),
    ("helpfulness", 0.81, "user"),
    ("accuracy", 0.88, "api"),
    ("toxicity", 0.03, "auto"),
    ("coherence", 0.92, "auto"),
)
