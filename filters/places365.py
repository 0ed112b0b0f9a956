"""The 365 scene classes of Places365, and which of them are indoors.

Facts of the Places365 data set (Zhou et al., "Places: A 10 million Image Database for Scene
Recognition", TPAMI 2018, https://github.com/CSAILVision/places365), in a form of our own. Two
facts make it short: the index of a class in every published network is its place in the order of
the names, and each class is either indoors or outdoors.
"""

from __future__ import annotations

from typing import Final

_INDOOR_NAMES: Final = """
    airplane_cabin airport_terminal alcove amusement_arcade aquarium arcade
    archaelogical_excavation archive arena/hockey arena/performance arena/rodeo art_gallery
    art_school art_studio artists_loft assembly_line atrium/public attic auditorium auto_factory
    auto_showroom bakery/shop ball_pit ballroom bank_vault banquet_hall bar basement
    basketball_court/indoor bathroom bazaar/indoor beauty_salon bedchamber bedroom beer_hall
    berth biology_laboratory bookstore booth/indoor bow_window/indoor bowling_alley boxing_ring
    burial_chamber bus_interior butchers_shop cafeteria candy_store car_interior catacomb
    chemistry_lab childs_room church/indoor classroom clean_room closet clothing_store cockpit
    coffee_shop computer_room conference_center conference_room corridor delicatessen
    department_store dining_hall dining_room discotheque dorm_room dressing_room drugstore
    elevator/door elevator_lobby elevator_shaft engine_room entrance_hall escalator/indoor
    fabric_store fastfood_restaurant flea_market/indoor florist_shop/indoor food_court galley
    garage/indoor general_store/indoor gift_shop greenhouse/indoor gymnasium/indoor
    hangar/indoor hardware_store home_office home_theater hospital_room hotel_room
    ice_cream_parlor ice_skating_rink/indoor jacuzzi/indoor jail_cell jewelry_shop
    kindergarden_classroom kitchen laundromat lecture_room legislative_chamber library/indoor
    living_room lobby locker_room market/indoor martial_arts_gym mezzanine movie_theater/indoor
    museum/indoor music_studio natural_history_museum nursery nursing_home office
    office_cubicles operating_room orchestra_pit pantry parking_garage/indoor pet_shop pharmacy
    physics_laboratory pizzeria playroom pub/indoor reception recreation_room repair_shop
    restaurant restaurant_kitchen sauna science_museum server_room shoe_shop
    shopping_mall/indoor shower stable stage/indoor staircase storage_room
    subway_station/platform supermarket sushi_bar swimming_hole swimming_pool/indoor
    television_room television_studio throne_room ticket_booth toyshop train_interior
    train_station/platform utility_room veterinarians_office waiting_room wet_bar youth_hostel
"""

_OUTDOOR_NAMES: Final = """
    airfield alley amphitheater amusement_park apartment_building/outdoor aqueduct arch
    army_base athletic_field/outdoor badlands balcony/exterior balcony/interior bamboo_forest
    barn barndoor baseball_field bazaar/outdoor beach beach_house beer_garden boardwalk
    boat_deck boathouse botanical_garden bridge building_facade bullring bus_station/indoor
    butte cabin/outdoor campsite campus canal/natural canal/urban canyon carrousel castle
    cemetery chalet church/outdoor cliff coast construction_site corn_field corral cottage
    courthouse courtyard creek crevasse crosswalk dam desert/sand desert/vegetation desert_road
    diner/outdoor doorway/outdoor downtown driveway embassy excavation farm field/cultivated
    field/wild field_road fire_escape fire_station fishpond football_field forest/broadleaf
    forest_path forest_road formal_garden fountain garage/outdoor gas_station gazebo/exterior
    general_store/outdoor glacier golf_course greenhouse/outdoor grotto hangar/outdoor harbor
    hayfield heliport highway hospital hot_spring hotel/outdoor house hunting_lodge/outdoor
    ice_floe ice_shelf ice_skating_rink/outdoor iceberg igloo industrial_area inn/outdoor islet
    japanese_garden junkyard kasbah kennel/outdoor lagoon lake/natural landfill landing_deck
    lawn library/outdoor lighthouse loading_dock lock_chamber mansion manufactured_home
    market/outdoor marsh mausoleum medina moat/water mosque/outdoor motel mountain mountain_path
    mountain_snowy museum/outdoor oast_house ocean office_building oilrig orchard pagoda palace
    park parking_garage/outdoor parking_lot pasture patio pavilion phone_booth picnic_area pier
    playground plaza pond porch promenade racecourse raceway raft railroad_track rainforest
    residential_neighborhood restaurant_patio rice_paddy river rock_arch roof_garden rope_bridge
    ruin runway sandbox schoolhouse shed shopfront ski_resort ski_slope sky skyscraper slum
    snowfield soccer_field stadium/baseball stadium/football stadium/soccer stage/outdoor street
    swamp swimming_pool/outdoor synagogue/outdoor temple/asia topiary_garden tower tree_farm
    tree_house trench tundra underwater/ocean_deep valley vegetable_garden viaduct village
    vineyard volcano volleyball_court/outdoor water_park water_tower waterfall watering_hole
    wave wheat_field wind_farm windmill yard zen_garden
"""

_INDOOR: Final = frozenset(_INDOOR_NAMES.split())

CLASSES: Final[tuple[str, ...]] = tuple(sorted(_INDOOR | set(_OUTDOOR_NAMES.split())))
"""Names in the order of the network's outputs."""

INDOOR: Final[tuple[bool, ...]] = tuple(name in _INDOOR for name in CLASSES)
"""For each class, whether it is indoors."""
