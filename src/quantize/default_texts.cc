#include "quantize/default_texts.h"

namespace embedforge::quantization {

std::span<const std::string_view> default_texts() {
  // NOLINTBEGIN(bugprone-suspicious-missing-comma): a long text goes on in the next line
  static constexpr std::string_view kTexts[] = {
      "The kettle is on.",
      "What time does the last train leave?",
      "Snow fell all night and closed the pass.",
      "How do I change a flat tyre on a bicycle?",
      "She laughed, then put the letter back in its envelope.",
      "cheap flights to lisbon in march",
      "The committee will publish its findings on Thursday.",
      "Please find attached the signed contract and the invoice for October.",
      "Why is the sky red at sunset?",
      "Two eggs, a cup of flour, a pinch of salt.",
      "He never answers the phone before ten.",
      "The river rose by a metre in a single afternoon, and the lower fields were under water "
      "until the weekend.",
      "best way to remove rust from cast iron",
      "A dog is running along the beach with a stick in its mouth.",
      "A woman slices an onion on a wooden board.",
      "The children are drawing with chalk on the pavement.",
      "Nobody was hurt, but the warehouse is a total loss.",
      "symptoms of vitamin d deficiency in adults",
      "The battery lasts about nine hours if the screen is kept dim, and a little under five when "
      "playing video.",
      "I would not buy these shoes again: the sole came off after three weeks.",
      "Excellent service, warm bread, and the best view of the harbour in town. We will be back.",
      "The manual says to press both buttons for five seconds, but nothing happens on mine. Has "
      "anyone found another way to reset it?",
      "Interest is calculated daily and added to the account on the last working day of each "
      "month.",
      "The plaintiff shall bear the costs of the proceedings, including those of the interlocutory "
      "application.",
      "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen; most of it "
      "takes place in the chloroplasts of leaf cells.",
      "Error 403: you do not have permission to open this folder. Ask its owner for access.",
      "def mean(values): return sum(values) / len(values)",
      "SELECT name, count(*) FROM orders WHERE paid = 1 GROUP BY name ORDER BY 2 DESC;",
      "The function returns null when the key is missing, so check the result before you "
      "dereference it.",
      "To install the package, create a virtual environment first, activate it, and run the "
      "installer from the root of the project. If the compiler complains about missing headers, "
      "the development files of the library have not been installed; the name of the package that "
      "holds them differs between distributions.",
      "git checkout -b fix/timeouts && git push origin HEAD",
      "Does the library support asynchronous iteration, or do I have to collect all pages first?",
      "The cache is shared by all workers, which means that a slow lookup in one of them can hold "
      "up the others. A lock per bucket helps a little, but the real cure was to stop invalidating "
      "entries that nobody had changed.",
      "Memory is allocated in pages of four kilobytes, and a process that touches a page for the "
      "first time pays for the fault.",
      "Water boils at 100 degrees Celsius at sea level, and at about 93 degrees in a town at 2,000 "
      "metres.",
      "The moon's gravity is roughly one sixth of the Earth's.",
      "Iron has the atomic number 26; its most common isotope has thirty neutrons.",
      "A light year is a distance, not a time: the way that light covers in one year, some 9.46 "
      "trillion kilometres.",
      "The theorem holds for every finite group whose order is divisible by the prime p.",
      "If the sum of the digits of a number is divisible by three, then so is the number itself.",
      "An enzyme lowers the energy that a reaction needs to get started, but it does not change "
      "where the equilibrium lies. That is why adding more of it makes the reaction faster and not "
      "more complete.",
      "Patients who received the higher dose reported fewer headaches, but the difference was not "
      "significant at the five percent level and disappeared when the two centres with incomplete "
      "records were left out.",
      "Take one tablet twice a day with food. Do not exceed the stated dose.",
      "My knee hurts when I walk down stairs but not when I walk up. Should I see a doctor?",
      "The vaccine is kept at minus seventy degrees until the day of use.",
      "Three goals in the last ten minutes turned the match around.",
      "The marathon starts at eight on Sunday; roads along the route will be closed until three in "
      "the afternoon.",
      "She won the hundred metres in 10.9 seconds, a personal best.",
      "Is it offside if the ball was last played by a defender?",
      "The orchestra opened with a slow movement, almost inaudible, and it was a full minute "
      "before the cellos came in.",
      "His second novel is set in a lighthouse and has only two characters, one of whom may not "
      "exist.",
      "A guitar has six strings, usually tuned to E, A, D, G, B and E.",
      "Which film won the award for best photography last year?",
      "The exhibition brings together forty paintings that have not been seen in one place since "
      "the artist's death, among them the two harbour scenes that were long thought to be lost. "
      "Visitors should allow at least ninety minutes.",
      "The price of copper fell for the third day in a row.",
      "Shares in the airline rose four percent after it raised its forecast for the year.",
      "Inflation slowed to 2.3 percent in April, the lowest rate in two years, as energy became "
      "cheaper; food prices, however, went on rising.",
      "The bank kept its main rate unchanged, as expected, and said that it would look at each "
      "month's figures before deciding on a cut.",
      "How much tax do I pay if I sell a flat that I have lived in for eight years?",
      "Our company makes valves for breweries and has 140 employees in two places.",
      "We are looking for a nurse for night shifts; experience in intensive care is welcome but "
      "not required.",
      "Dear Ms Okafor, thank you for your application. We would like to invite you to an interview "
      "on the 14th of May at half past nine. Please let us know whether this suits you, and "
      "whether you need a place to park.",
      "Thanks for the quick reply! See you on Friday.",
      "ok, will do",
      "no",
      "Meeting moved to room 204.",
      "Reminder: the water will be turned off tomorrow between 8 and 11.",
      "The parcel was left with a neighbour at number 17.",
      "Order #48213 has been shipped and should arrive within three to five working days.",
      "password reset link does not arrive",
      "how long to boil potatoes",
      "Peel the potatoes, cut them into even pieces, cover them with cold salted water and simmer "
      "for about twenty minutes, until a knife goes in without resistance. Drain, let the steam "
      "escape, then mash with warm milk and plenty of butter. Nutmeg is traditional.",
      "Let the dough rest overnight in the fridge; it will be easier to shape and taste better.",
      "This soup can be frozen for up to three months.",
      "Is olive oil suitable for frying at high temperatures?",
      "vegetarian restaurant open on monday near the station",
      "The old town lies on a hill above the river and can only be entered on foot. From the car "
      "park by the bridge a lift goes up to the castle every ten minutes; those who would rather "
      "walk need a quarter of an hour and should not mind steps.",
      "The hotel is clean and central, though the rooms at the front are noisy.",
      "You need a passport that is valid for at least six months after the date of entry.",
      "The ferry crosses twice a day in summer and not at all between November and March.",
      "A tram is waiting at the stop.",
      "The volcano last erupted in 1783 and has been quiet ever since.",
      "In the dry season the lake shrinks to a third of its size, and herds come from a hundred "
      "kilometres away to drink.",
      "Swallows leave in September and come back in April.",
      "An octopus has three hearts and blue blood.",
      "My cat has stopped eating dry food. What could be the reason?",
      "Tomatoes want sun, shelter from rain, and a deep watering once or twice a week rather than "
      "a little every day.",
      "The oldest trees in the forest were already standing when the cathedral was built.",
      "The empire reached its greatest extent under his grandson, who spent most of his reign on "
      "horseback and is said to have founded more than seventy cities. Within fifty years of his "
      "death it had broken into four kingdoms.",
      "The treaty was signed in 1648 and ended thirty years of war.",
      "Who invented the printing press, and when?",
      "The census of 1901 counted 11,204 people in the district, of whom fewer than half could "
      "read.",
      "Parliament votes on the bill next week.",
      "Turnout was 61 percent, eight points lower than in the previous election.",
      "The minister denied that there had been any pressure on the agency and said that the "
      "documents would be handed over in full.",
      "Police are looking for witnesses of an accident at the corner of Mill Lane and Station "
      "Road.",
      "A court has ordered the company to recall 40,000 heaters whose plugs can overheat.",
      "Children under twelve travel free when accompanied by an adult.",
      "The lesson begins at nine, and pupils who are late wait in the hall.",
      "What is the difference between a simile and a metaphor?",
      "The students compared two ways of learning vocabulary: reading a list again and again, and "
      "trying to recall the words before looking them up. A week later the second group remembered "
      "half as much again, although it had found the exercise harder and expected to do worse.",
      "The verb comes last in a subordinate clause.",
      "Good morning. Could you tell me where the post office is?",
      "Guten Tag, ich hätte gern zwei Karten für die Vorstellung am Samstag.",
      "Le musée est fermé le mardi, sauf pendant les vacances.",
      "¿Dónde puedo comprar un billete de autobús?",
      "Il treno per Bologna parte dal binario sette.",
      "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor Ablauf gekündigt "
      "wird.",
      "La bibliothèque prête des livres, des films et des instruments de musique.",
      "おはようございます。今日は雨です。",
      "今天的会议改到下午三点。",
      "Где находится ближайшая аптека?",
      "The lamp is 45 cm tall, weighs 1.2 kg and takes a bulb of at most 40 W.",
      "Size M; 95 % cotton, 5 % elastane; wash at 30 degrees; do not tumble dry.",
      "12 x 0.75 l, EUR 89.90, delivery included",
      "Call +44 20 7946 0018 between 9 a.m. and 5 p.m., or write to help@example.com.",
      "https://example.org/docs/install.html#step-3",
      "Chapter 4: Of the building of ships",
      "FAQ",
      "TODO: handle the case in which both lists are empty",
      "WARNING: do not open the cover while the fan is turning.",
      "v2.4.1 fixes a crash when the configuration file ends without a newline (#317), and makes "
      "the search twice as fast for long queries. Older configuration files are read as before.",
      "The satellite circles the Earth every ninety-four minutes at a height of five hundred "
      "kilometres, and photographs every place on land at least once a day. Clouds hide about two "
      "thirds of what it sees; the software that puts the images together therefore keeps, for "
      "each square of ten metres, the clearest view of the past month.",
      "A neural network with one hidden layer can approximate any continuous function on a bounded "
      "set, provided that the layer is wide enough; the theorem says nothing about how to find the "
      "weights.",
      "Electric cars are quieter than those with combustion engines only at low speed; above fifty "
      "kilometres an hour the sound of the tyres is louder than either motor.",
      "The bridge was designed for carts and carries forty thousand vehicles a day. Engineers "
      "found cracks in six of its hangers last winter, and since then lorries have had to take the "
      "road through the valley, which adds half an hour. A new bridge beside the old one would "
      "cost ninety million and take four years to build, and the town council is divided: one side "
      "points to the traffic, the other to the marsh on the east bank, where herons nest.",
      "I have used this vacuum cleaner for two years now. It is light, it copes well with dog "
      "hair, and spare filters are easy to find. What I don't like is the cord, which is a metre "
      "too short for our living room, and the little wheel at the front, which broke and had to be "
      "replaced. All in all I would buy it again, but at a lower price.",
      "When my grandmother was a girl, the shop at the corner sold everything from lamp oil to "
      "shoelaces, and the owner wrote what people owed him into a blue book that he kept under the "
      "counter. At the end of the month, when wages had been paid, he crossed out the lines one "
      "after another. The book still exists. Some of the lines were never crossed out, and next to "
      "a few of them he had written a single word: forgiven.",
      "Bees tell each other where to find flowers by dancing. A dancer runs in a straight line, "
      "waggling, then circles back and begins again; the angle between the line and the vertical "
      "is the angle between the food and the sun, and the longer the run, the farther the food. "
      "The dance takes place in the dark, on the face of the comb, and the others follow it with "
      "their antennae.",
      "The tenant must keep the flat in good order, report damage without delay, and let the "
      "landlord in, after notice of at least twenty-four hours, for repairs and for inspections, "
      "of which there may be no more than one a year. Small repairs, up to a hundred euros each "
      "and three hundred a year, are paid for by the tenant.",
      "Query plans are chosen by cost, and costs are estimated from statistics. When the "
      "statistics are out of date, the planner may believe that a table has ten rows where it has "
      "ten million, and loop over it for each row of another. The symptom is a query that was fast "
      "yesterday; the cure is to collect the statistics again, and the prevention is to have it "
      "done automatically after large imports.",
      "Climbers call it the death zone: above eight thousand metres there is so little oxygen that "
      "the body uses it faster than it can be breathed in. Sleep is hardly possible, food is not "
      "digested, and decisions that would be simple in the valley take minutes. Most accidents "
      "happen on the way down.",
      "First the good news: nobody has to learn the old system any more. The bad news is that the "
      "new one needs a card, a code and a telephone, and that the codes are sent by post.",
      "To be, or to appear to be: the play keeps asking the question and its hero keeps changing "
      "the subject.",
      "Are cats better pets than dogs for people who live in small apartments?",
      "A man in a red jacket is fixing the roof while two others hold the ladder.",
      "Someone is playing the piano in an empty hall.",
      "There is no bus on Sundays, so we walked.",
  };
  // NOLINTEND(bugprone-suspicious-missing-comma)
  return kTexts;
}

}  // namespace embedforge::quantization
