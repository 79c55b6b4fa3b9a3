export const firstNames =
  'Vladimir Lars Barry Reagan Tamekah Scarlett Colton Rafael Mark Herrod Desirae Alfreda Irene Noelani Duncan Kadeem Medge Quinlan Hamilton Aurelia Thane Serina Yvette Kelly Maya Lucius Uriel Dorian Nomlanga Cathleen Elton Zelenia Burke Hedley Winifred Jana Karleigh Tobias Odette Bruno Sigourney Adele Octavius Priscilla Quentin Rowan Salma Ulric Vera Wesley Xena Yolanda Zachary'.split(
    ' ',
  )
export const lastNames =
  'Humphrey Dickson Delgado Wiggins Juarez Mayer Roy Taylor Griffin Chandler Santana Sherman Vang Colon Gilbert Humphreys Savage Burton Camacho Dominguez Whitley Holcomb Mcfadden Rowland Stout Valencia Hewitt Ashley Bruce Carver Dalton Emerson Frost Gallagher Hendrix Irwin Jacobson Kirk Lowery Maddox Nolan Ortega Patrick Quinn Rosario Sweeney Tanner Underwood Vinson Webster Yates Zamora'.split(
    ' ',
  )
export const cities =
  'Kent|Murfreesboro|Hazleton|Waltham|Somerville|Bellflower|Tucson|Chattanooga|Moultrie|Paducah|Trenton|Lakewood|Wausau|Provo|Abilene|Duluth|Yonkers|Salem|Macon|Olympia|Rutland|Fargo|Laredo|Peoria|Norwalk|Boise|Racine|Mesa|Flint|Gary'.split(
    '|',
  )
export const states =
  'AL AK AZ AR CA CO CT DC DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY AB BC MB NB NL NS ON PE QC SK'.split(
    ' ',
  )
export const domains =
  'vehicula.com velit.org sodales.edu dolor.ca egestas.com tristique.org lobortis.edu nulla.com aliquet.ca mauris.org'.split(
    ' ',
  )
export const venueKinds =
  'Stadium|Arena|Park|Theatre|Center|Field|Ballpark|Pavilion|Opera House|Playhouse|Amphitheatre|Hall'.split(
    '|',
  )
export const venueWords =
  'Toyota Columbus Century Gillette Qwest Lincoln Arrowhead Wachovia Conseco Verizon Staples Prudential Pepsi Rogers Madison Nationwide Shoreline Winspear Lyric Majestic Imperial Lunt-Fontanne Neil-Simon Curran Geary Walnut Broward Altria Chase Fenway Wrigley Coors'.split(
    ' ',
  )

/** City, state: places where TICKIT's venues are. */
export const venuePlaces =
  'New York City,NY|Brooklyn,NY|Rochester,NY|Boston,MA|Foxborough,MA|Philadelphia,PA|Pittsburgh,PA|East Rutherford,NJ|Newark,NJ|Hartford,CT|Chicago,IL|Bridgeview,IL|Columbus,OH|Cleveland,OH|Cincinnati,OH|Detroit,MI|Auburn Hills,MI|Minneapolis,MN|St. Louis,MO|Kansas City,MO|Indianapolis,IN|Milwaukee,WI|Green Bay,WI|Washington,DC|Baltimore,MD|Atlanta,GA|Charlotte,NC|Raleigh,NC|Miami,FL|Tampa,FL|Jacksonville,FL|Orlando,FL|Houston,TX|Dallas,TX|San Antonio,TX|Nashville,TN|Memphis,TN|New Orleans,LA|Oklahoma City,OK|Los Angeles,CA|San Francisco,CA|San Diego,CA|Oakland,CA|Sacramento,CA|San Jose,CA|Carson,CA|Denver,CO|Commerce City,CO|Salt Lake City,UT|Phoenix,AZ|Glendale,AZ|Las Vegas,NV|Portland,OR|Seattle,WA|Toronto,ON|Vancouver,BC|Calgary,AB|Edmonton,AB|Montreal,QC|Ottawa,ON'
    .split('|')
    .map((place) => place.split(',') as [city: string, state: string])

export const categories: [id: number, group: string, name: string, description: string][] = [
  [1, 'Sports', 'MLB', 'Major League Baseball'],
  [2, 'Sports', 'NHL', 'National Hockey League'],
  [3, 'Sports', 'NFL', 'National Football League'],
  [4, 'Sports', 'NBA', 'National Basketball Association'],
  [5, 'Sports', 'MLS', 'Major League Soccer'],
  [6, 'Shows', 'Musicals', 'Musical theatre'],
  [7, 'Shows', 'Plays', 'All non-musical theatre'],
  [8, 'Shows', 'Opera', 'All opera and light opera'],
  [9, 'Concerts', 'Pop', 'All rock and pop music concerts'],
  [10, 'Concerts', 'Jazz', 'All jazz singers and bands'],
  [11, 'Concerts', 'Classical', 'All symphony, concerto, and choir concerts'],
]

const titles: Record<string, string[]> = {
  Musicals:
    'Mamma Mia!|Spring Awakening|The Lion King|Wicked|Jersey Boys|Hairspray|Spamalot|Grease|Shrek the Musical|The Color Purple|West Side Story|Avenue Q|Chicago|Rent|South Pacific'.split(
      '|',
    ),
  Plays:
    "Macbeth|Hamlet|Othello|King Lear|August: Osage County|The Seagull|The Cherry Orchard|Uncle Vanya|A Doll's House|The Crucible|Arcadia|Speed-the-Plow|Equus|Waiting for Godot".split(
      '|',
    ),
  Opera:
    'Gotterdammerung|Salome|Carmen|Tosca|La Traviata|Rigoletto|Il Trovatore|Aida|Macbeth (opera)|The Magic Flute|Don Giovanni|Fidelio|Siegfried|Das Rheingold'.split(
      '|',
    ),
  Pop: 'Britney Spears|Radiohead|Coldplay|Janet Jackson|Neil Young|The Killers|Kanye West|Madonna|Bruce Springsteen|R.E.M.|Beck|Bjork|Tina Turner|Elton John|Foo Fighters|Sheryl Crow'.split(
    '|',
  ),
  Jazz: 'Herbie Hancock|Diana Krall|Wynton Marsalis|Dave Brubeck|Sonny Rollins|Pat Metheny|Cassandra Wilson|Branford Marsalis'.split(
    '|',
  ),
  Classical:
    'Boston Symphony|New York Philharmonic|Berlin Philharmonic|Yo-Yo Ma|Joshua Bell|Vienna Boys Choir|Kronos Quartet|Emerson Quartet'.split(
      '|',
    ),
}

/** What an event of a category may be called. */
export function titlesOf(category: string): readonly string[] {
  return (
    titles[category] ??
    ['Home Opener', 'Playoffs', 'Derby', 'All-Star Game', 'Season Final'].map(
      (title) => `${category} ${title}`,
    )
  )
}
